/*-------------------------------------------------------------------------
 *
 * commit_level.c
 *	  Whether what this transaction commits can be lost.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "replication/syncrep.h"
#include "storage/proc.h"

#include "commit_level.h"
#include "compat.h"
#include "settings.h"

static bool
can_be_lost(void)
{
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		return true;
	return synchronous_commit == SYNCHRONOUS_COMMIT_LOCAL_FLUSH &&
		   SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0';
}

void
commit_level_check(void)
{
	static LocalTransactionId warned = InvalidLocalTransactionId;
	LocalTransactionId		  current = USHER_LOCAL_XID(MyProc);
	bool refuse = settings_on_async_commit == COMMIT_LEVEL_REFUSE;

	if (settings_on_async_commit == COMMIT_LEVEL_IGNORE || !can_be_lost() ||
		(!refuse && warned == current))
		return;
	warned = current;
	ereport(
		refuse ? ERROR : WARNING,
		errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		errmsg("a durable message could be lost: synchronous_commit is %s",
			   synchronous_commit == SYNCHRONOUS_COMMIT_OFF ? "off" : "local"),
		errdetail("Clients may see it before it is safe."),
		errhint("Set synchronous_commit to on where durable groups are "
				"published to; see usher.on_async_commit."));
}
