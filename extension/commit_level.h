/*-------------------------------------------------------------------------
 *
 * commit_level.h
 *	  Whether what this transaction commits can be lost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_COMMIT_LEVEL_H
#define USHER_COMMIT_LEVEL_H

typedef enum CommitLevelRule
{
	COMMIT_LEVEL_WARN,
	COMMIT_LEVEL_REFUSE,
	COMMIT_LEVEL_IGNORE,
} CommitLevelRule;

/*
 * commit_level_check
 *		Warn, or raise 55000, as usher.on_async_commit says.
 *
 * Listeners send on what has been committed at once.  If the server then
 * crashes before it is on the disk (synchronous_commit off), or a standby is
 * promoted that does not have it (local, with synchronous standbys), a client
 * has seen what never was.  A warning comes once a transaction.
 */
extern void commit_level_check(void);

#endif /* USHER_COMMIT_LEVEL_H */
