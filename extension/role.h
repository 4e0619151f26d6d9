/*-------------------------------------------------------------------------
 *
 * role.h
 *	  To be another role for a moment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_ROLE_H
#define USHER_ROLE_H

/* Who we were. */
typedef struct FormerRole
{
	Oid user;
	int context;
} FormerRole;

/*
 * role_become
 *		Have the rights of this role until role_return().
 *
 * An error in between ends the transaction or subtransaction, which gives
 * back who we were.
 */
extern FormerRole role_become(Oid role);

/* The same as usher_owner, which owns most of what the extension made. */
extern FormerRole role_become_owner(void);

extern void role_return(FormerRole former);

#endif /* USHER_ROLE_H */
