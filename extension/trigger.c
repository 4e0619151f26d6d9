/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  A row of the site's changed: what does that revoke?
 *
 * The only file that reads TriggerData.  The triggers belong to the site's
 * tables, so whoever changes those runs this code, as usher_owner.  What goes
 * wrong in here must not take the site's own statement along: the work of
 * each row runs in a subtransaction, and an error of ours becomes a warning.
 * Errors which say that the whole transaction is to end or to be tried again
 * pass.  Sites change many rows that revoke nothing, so whether one does is
 * decided before the subtransaction, by looking at the row alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "broadcast.h"
#include "category.h"
#include "identity.h"
#include "store.h"

PG_FUNCTION_INFO_V1(usher_on_config_change);
PG_FUNCTION_INFO_V1(usher_on_options_change);
PG_FUNCTION_INFO_V1(usher_on_token_change);
PG_FUNCTION_INFO_V1(usher_on_session_change);
PG_FUNCTION_INFO_V1(usher_on_knox_change);
PG_FUNCTION_INFO_V1(usher_on_blacklist_change);
PG_FUNCTION_INFO_V1(usher_on_drf_blacklist_change);
PG_FUNCTION_INFO_V1(usher_on_credential_truncate);
PG_FUNCTION_INFO_V1(usher_on_user_change);
PG_FUNCTION_INFO_V1(usher_on_user_truncate);

/*
 * Two requests that save at once may write the later date first, and clocks
 * differ: an expiry that moves earlier by no more than this takes nothing
 * back.  usher.attach_tables() has the same minute for Django's sessions.
 */
#define EXPIRY_JITTER_US (60 * USECS_PER_SEC)

typedef enum RevokeWhat
{
	REVOKE_TOKEN,			/* which: its key */
	REVOKE_DJANGO_SESSION,	/* which: its key */
	REVOKE_KNOX,			/* which: its digest */
	SHORTEN_DJANGO_SESSION, /* which: the key of one that ends sooner */
	SHORTEN_KNOX,			/* which: the digest of one that ends sooner */
	REVOKE_OUTSTANDING,		/* which: the id of simplejwt's row */
	REVOKE_DRF_JWT,			/* which: the token */
	REVOKE_USER,			/* which: a user id */
	REVOKE_RENAMED_USER,	/* the same, if credentials name users by name */
	REVOKE_KIND,			/* which: every credential of this kind */
	REVOKE_ALL
} RevokeWhat;

/* What the events are for which a trigger function may be called. */
typedef enum TriggerUse
{
	ROW_GOES,  /* UPDATE or DELETE of a row */
	ROW_COMES, /* INSERT or UPDATE of a row */
	STATEMENT
} TriggerUse;

static TriggerData *
trigger_data(FunctionCallInfo fcinfo, TriggerUse use)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	bool		 fits = false;

	if (CALLED_AS_TRIGGER(fcinfo) && TRIGGER_FIRED_AFTER(data->tg_event))
	{
		switch (use)
		{
			case ROW_GOES:
				fits = TRIGGER_FIRED_FOR_ROW(data->tg_event) &&
					   !TRIGGER_FIRED_BY_INSERT(data->tg_event);
				break;
			case ROW_COMES:
				fits = TRIGGER_FIRED_FOR_ROW(data->tg_event) &&
					   !TRIGGER_FIRED_BY_DELETE(data->tg_event);
				break;
			case STATEMENT:
				fits = TRIGGER_FIRED_FOR_STATEMENT(data->tg_event);
				break;
		}
	}
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called as the trigger it is for"),
				 errhint("usher.attach_django() creates its triggers.")));
	return data;
}

/* ---- revoking ---- */

/* A credential that issues session keys, and those. */
static void
revoke_issuer(const char *credential_id)
{
	store_sessions_delete_issued_by(credential_id);
	broadcast_revoke_credential(credential_id);
}

static void
revoke_user(const char *user_id)
{
	store_sessions_delete_of(user_id);
	broadcast_revoke_user(user_id);
}

static void
revoke_now(RevokeWhat what, const char *which)
{
	char *jti;

	switch (what)
	{
		case REVOKE_TOKEN:
			revoke_issuer(identity_token_id(which, strlen(which)));
			return;
		case REVOKE_KNOX: revoke_issuer(identity_knox_id(which)); return;
		case REVOKE_DJANGO_SESSION:
			broadcast_revoke_credential(
				identity_django_session_id(which, strlen(which)));
			return;
		case SHORTEN_DJANGO_SESSION:
			broadcast_ends_sooner(
				identity_django_session_id(which, strlen(which)));
			return;
		case SHORTEN_KNOX:
			broadcast_ends_sooner(identity_knox_id(which));
			return;
		case REVOKE_OUTSTANDING:
			jti = store_outstanding_jti(which);
			if (jti != NULL)
				broadcast_revoke_credential(identity_jti_id(jti));
			return;
		case REVOKE_DRF_JWT:
			broadcast_revoke_credential(
				identity_drf_jwt_issuer_id(which, strlen(which)));
			return;
		case REVOKE_RENAMED_USER:
			if (store_options()->jwt.flavor == JWT_DRF_JWT)
				revoke_user(which);
			return;
		case REVOKE_USER: revoke_user(which); return;
		case REVOKE_KIND:
			store_sessions_delete_issued_by_kind(which);
			broadcast_revoke_kind(which);
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

	/* Who sets lock_timeout is ready for that, and not for a warning. */
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE) ||
		   category == ERRCODE_TO_CATEGORY(ERRCODE_OUT_OF_MEMORY);
}

/* Revoke in a subtransaction. */
static void
revoke_guarded(RevokeWhat what, const char *which)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
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

/*
 * A date of the old or the new row.  False: it is null, or there is no such
 * column any more.
 */
static bool
row_date(const TriggerData *data, HeapTuple row, int column, TimestampTz *date)
{
	TupleDesc desc = RelationGetDescr(data->tg_relation);
	Datum	  value;
	bool	  isnull;

	if (column == 0 ||
		getBaseType(SPI_gettypeid(desc, column)) != TIMESTAMPTZOID)
		return false;
	value = SPI_getbinval(row, desc, column, &isnull);
	if (isnull)
		return false;
	*date = DatumGetTimestampTz(value);
	return true;
}

/* Revoke by what stood in a column of the old row. */
static void
revoke_old(const TriggerData *data, RevokeWhat what, int column)
{
	char *which = column > 0 ? old_value(data, column) : NULL;

	if (which != NULL)
		revoke_guarded(what, which);
}

/* Revoke by what stands in a column of the new row, unless it did before. */
static void
revoke_new(const TriggerData *data, RevokeWhat what, int column)
{
	bool  update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	char *which;

	if (column == 0 || (update && !changed(data, column)))
		return;
	which = SPI_getvalue(update ? data->tg_newtuple : data->tg_trigtuple,
						 RelationGetDescr(data->tg_relation), column);
	if (which != NULL)
		revoke_guarded(what, which);
}

/* ---- the triggers on credentials ---- */

/*
 * on_token_change(key, user): a token was deleted, or is now another one or
 * somebody else's.
 */
Datum
usher_on_token_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, ROW_GOES);
	int			 key_column = argument_column(data, 0);

	if (TRIGGER_FIRED_BY_DELETE(data->tg_event) || changed(data, key_column) ||
		changed(data, argument_column(data, 1)))
		revoke_old(data, REVOKE_TOKEN, key_column);
	PG_RETURN_POINTER(NULL);
}

/*
 * on_session_change(session_key): a live Django session was deleted, got
 * another key or expires earlier.  The triggers' conditions have decided that.
 */
Datum
usher_on_session_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, ROW_GOES);
	int			 key_column = argument_column(data, 0);
	bool		 gone =
		TRIGGER_FIRED_BY_DELETE(data->tg_event) || changed(data, key_column);

	/* One that only ends sooner is good until then, and may be just about to
	 * be used: request.session.set_expiry(120). */
	revoke_old(data, gone ? REVOKE_DJANGO_SESSION : SHORTEN_DJANGO_SESSION,
			   key_column);
	PG_RETURN_POINTER(NULL);
}

/* Whether knox's token expires earlier than it did; once counts as never. */
static bool
cut_short(const TriggerData *data, int expiry_column, TimestampTz now)
{
	TimestampTz before;
	TimestampTz after;

	if (!row_date(data, data->tg_newtuple, expiry_column, &after))
		return false;
	if (!row_date(data, data->tg_trigtuple, expiry_column, &before))
		return true;
	return after < before && (after < now || before - after > EXPIRY_JITTER_US);
}

/*
 * on_knox_change(digest, user, expiry): a live token was deleted, is now
 * another one or somebody else's, or expires earlier.
 */
Datum
usher_on_knox_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, ROW_GOES);
	int			 digest_column = argument_column(data, 0);
	int			 expiry_column = argument_column(data, 2);
	TimestampTz	 now = GetCurrentTransactionStartTimestamp();
	TimestampTz	 expiry;

	/* knox deletes expired tokens whenever their user comes by. */
	if (row_date(data, data->tg_trigtuple, expiry_column, &expiry) &&
		expiry < now)
		PG_RETURN_POINTER(NULL);
	if (TRIGGER_FIRED_BY_DELETE(data->tg_event) ||
		changed(data, digest_column) || changed(data, argument_column(data, 1)))
		revoke_old(data, REVOKE_KNOX, digest_column);
	else if (cut_short(data, expiry_column, now))
		revoke_old(data, SHORTEN_KNOX, digest_column);
	PG_RETURN_POINTER(NULL);
}

/* on_blacklist_change(token_id): simplejwt blacklisted a token. */
Datum
usher_on_blacklist_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, ROW_COMES);

	revoke_new(data, REVOKE_OUTSTANDING, argument_column(data, 0));
	PG_RETURN_POINTER(NULL);
}

/* on_drf_blacklist_change(token): drf-jwt blacklisted a token. */
Datum
usher_on_drf_blacklist_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, ROW_COMES);

	revoke_new(data, REVOKE_DRF_JWT, argument_column(data, 0));
	PG_RETURN_POINTER(NULL);
}

/* on_credential_truncate(kind): every credential of a kind is gone. */
Datum
usher_on_credential_truncate(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {
		IDENTITY_KIND_TOKEN, IDENTITY_KIND_DJANGO_SESSION, IDENTITY_KIND_KNOX};
	TriggerData *data = trigger_data(fcinfo, STATEMENT);
	int			 i;

	for (i = 0; i < (int) lengthof(kinds); i++)
	{
		if (data->tg_trigger->tgnargs == 1 &&
			strcmp(data->tg_trigger->tgargs[0], kinds[i]) == 0)
			revoke_guarded(REVOKE_KIND, kinds[i]);
	}
	PG_RETURN_POINTER(NULL);
}

/* ---- the triggers on users ---- */

static bool
deactivated(const TriggerData *data, int active_column)
{
	char *active;

	if (!changed(data, active_column))
		return false;
	active = new_value(data, active_column);
	return active == NULL || strcmp(active, "t") != 0;
}

/*
 * on_user_change(key, active, password, username, jwt_user): a user was
 * deleted, renumbered, deactivated, given another password, or is called
 * otherwise by JWTs.
 */
Datum
usher_on_user_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, ROW_GOES);
	int			 key_column = argument_column(data, 0);
	RevokeWhat	 what = REVOKE_USER;
	char		*user_id;

	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event) && !changed(data, key_column) &&
		!changed(data, argument_column(data, 2)) &&
		!changed(data, argument_column(data, 4)) &&
		!deactivated(data, argument_column(data, 1)))
	{
		if (!changed(data, argument_column(data, 3)))
			PG_RETURN_POINTER(NULL);
		what = REVOKE_RENAMED_USER;
	}
	user_id = key_column > 0 ? old_value(data, key_column) : NULL;

	/* Nobody with a longer id has ever been identified. */
	if (user_id != NULL && strlen(user_id) <= STORE_USER_ID_MAX_BYTES)
		revoke_guarded(what, user_id);
	PG_RETURN_POINTER(NULL);
}

Datum
usher_on_user_truncate(PG_FUNCTION_ARGS)
{
	trigger_data(fcinfo, STATEMENT);
	revoke_guarded(REVOKE_ALL, NULL);
	PG_RETURN_POINTER(NULL);
}

/*
 * on_config_change(): a table of which backends keep copies was written to.
 * Sent with the commit; see store_generation().
 */
Datum
usher_on_config_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, STATEMENT);

	CacheInvalidateRelcache(data->tg_relation);
	PG_RETURN_POINTER(NULL);
}

/*
 * on_options_change(): what counts as a good credential is another question
 * now, so it is asked again of everyone who was let in.
 */
Datum
usher_on_options_change(PG_FUNCTION_ARGS)
{
	trigger_data(fcinfo, STATEMENT);
	category_announce_all();
	PG_RETURN_POINTER(NULL);
}
