/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  A row of Django's changed: what does that revoke?
 *
 * The only file that reads TriggerData.  The triggers belong to the site's
 * tables, so whoever changes those runs this code, as usher_owner.  What goes
 * wrong in here must not take the site's own statement along: the work of
 * each row runs in a subtransaction, and an error of ours becomes a warning.
 * Errors which say that the whole transaction is to end or to be tried again
 * pass.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "broadcast.h"
#include "identity.h"
#include "store.h"

PG_FUNCTION_INFO_V1(usher_on_config_change);
PG_FUNCTION_INFO_V1(usher_on_token_change);
PG_FUNCTION_INFO_V1(usher_on_token_truncate);
PG_FUNCTION_INFO_V1(usher_on_user_change);
PG_FUNCTION_INFO_V1(usher_on_user_truncate);

typedef enum RevokeWhat
{
	REVOKE_CREDENTIAL, /* which: a credential id */
	REVOKE_USER,	   /* which: a user id */
	REVOKE_TOKENS,	   /* every token */
	REVOKE_ALL
} RevokeWhat;

static TriggerData *
trigger_data(FunctionCallInfo fcinfo, bool for_row)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		(for_row ? !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
					   TRIGGER_FIRED_BY_INSERT(data->tg_event)
				 : !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called as the trigger it is for"),
				 errhint("usher.attach_django() creates its triggers.")));
	return data;
}

/* ---- revoking ---- */

static void
revoke_now(RevokeWhat what, const char *which)
{
	switch (what)
	{
		case REVOKE_CREDENTIAL:
			store_sessions_delete_issued_by(which);
			broadcast_revoke_credential(which);
			return;
		case REVOKE_USER:
			store_sessions_delete_of(which);
			broadcast_revoke_user(which);
			return;
		case REVOKE_TOKENS:
			store_sessions_delete_issued_by_kind(IDENTITY_KIND_TOKEN);
			broadcast_revoke_kind(IDENTITY_KIND_TOKEN);
			return;
		case REVOKE_ALL:
			store_sessions_delete_all();
			broadcast_revoke_all();
			return;
	}
}

/* Whether the site's transaction cannot go on after such an error. */
static bool
ends_transaction(int sqlstate)
{
	int category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_OUT_OF_MEMORY);
}

/*
 * Revoke in a subtransaction.  token_key instead of which: the id is computed
 * inside, since that reads usher's tables too.
 */
static void
revoke_guarded(RevokeWhat what, const char *which, const char *token_key)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (token_key != NULL)
			which = identity_token_id(token_key, strlen(token_key));
		revoke_now(what, which);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (ends_transaction(error->sqlerrcode))
			ReThrowError(error);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not announce a revocation: %s", error->message),
				 errhint("Connections may stay open until they are "
						 "checked again. Call "
						 "usher.attach_django() to repair.")));
	}
	PG_END_TRY();
}

/* ---- reading rows ---- */

/*
 * The number of the column that an argument of the trigger names: 0 when it
 * names none, or one that is gone.
 */
static int
argument_column(const TriggerData *data, int argument)
{
	const char *name;
	int			column;

	if (argument >= data->tg_trigger->tgnargs)
		return 0;
	name = data->tg_trigger->tgargs[argument];
	if (name[0] == '\0')
		return 0;
	column = SPI_fnumber(RelationGetDescr(data->tg_relation), name);
	if (column <= 0)
	{
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" is gone: its changes "
						"revoke nothing",
						name, RelationGetRelationName(data->tg_relation)),
				 errhint("Call usher.attach_django() again.")));
		return 0;
	}
	return column;
}

static char *
old_value(const TriggerData *data, int column)
{
	return SPI_getvalue(data->tg_trigtuple, RelationGetDescr(data->tg_relation),
						column);
}

static char *
new_value(const TriggerData *data, int column)
{
	return SPI_getvalue(data->tg_newtuple, RelationGetDescr(data->tg_relation),
						column);
}

/* Django's save() writes every column, so only a comparison tells. */
static bool
changed(const TriggerData *data, int column)
{
	char *before;
	char *after;

	if (column == 0)
		return false;
	before = old_value(data, column);
	after = new_value(data, column);
	if (before == NULL || after == NULL)
		return before != after;
	return strcmp(before, after) != 0;
}

/* ---- the triggers ---- */

/*
 * on_token_change(key, user): a token was deleted, or is now another one or
 * somebody else's.
 */
Datum
usher_on_token_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, true);
	int			 key_column = argument_column(data, 0);
	char		*key;

	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event) && !changed(data, key_column) &&
		!changed(data, argument_column(data, 1)))
		PG_RETURN_POINTER(NULL);
	key = key_column > 0 ? old_value(data, key_column) : NULL;
	if (key != NULL)
		revoke_guarded(REVOKE_CREDENTIAL, NULL, key);
	PG_RETURN_POINTER(NULL);
}

Datum
usher_on_token_truncate(PG_FUNCTION_ARGS)
{
	trigger_data(fcinfo, false);
	revoke_guarded(REVOKE_TOKENS, NULL, NULL);
	PG_RETURN_POINTER(NULL);
}

/*
 * on_user_change(key, active, password): a user was deleted, renumbered,
 * deactivated or given another password.
 */
Datum
usher_on_user_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, true);
	int			 key_column = argument_column(data, 0);
	char		*user_id;

	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event) && !changed(data, key_column) &&
		!changed(data, argument_column(data, 2)))
	{
		int	  active_column = argument_column(data, 1);
		char *active;

		if (!changed(data, active_column))
			PG_RETURN_POINTER(NULL);
		active = new_value(data, active_column);
		if (active != NULL && strcmp(active, "t") == 0)
			PG_RETURN_POINTER(NULL);
	}
	user_id = key_column > 0 ? old_value(data, key_column) : NULL;

	/* Nobody with a longer id has ever been identified. */
	if (user_id != NULL && strlen(user_id) <= STORE_USER_ID_MAX_BYTES)
		revoke_guarded(REVOKE_USER, user_id, NULL);
	PG_RETURN_POINTER(NULL);
}

Datum
usher_on_user_truncate(PG_FUNCTION_ARGS)
{
	trigger_data(fcinfo, false);
	revoke_guarded(REVOKE_ALL, NULL, NULL);
	PG_RETURN_POINTER(NULL);
}

/*
 * on_config_change(): a table of which backends keep copies was written to.
 * Sent with the commit; see store_generation().
 */
Datum
usher_on_config_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, false);

	CacheInvalidateRelcache(data->tg_relation);
	PG_RETURN_POINTER(NULL);
}
