/*-------------------------------------------------------------------------
 *
 * category.h
 *	  The declared categories as a whole; one by one they are policy.h's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CATEGORY_H
#define USHER_CATEGORY_H

/*
 * category_announce_all
 *		Have listeners ask again about every member of every group, once this
 *		transaction has committed.
 *
 * The current user must be able to read usher.category.
 */
extern void category_announce_all(void);

#endif /* USHER_CATEGORY_H */
