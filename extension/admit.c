/*-------------------------------------------------------------------------
 *
 * admit.c
 *	  SQL shells: who may enter a group, and what becomes of a client's message.
 *
 * Nothing here raises for what a client sent: every answer is a row, since an
 * error would cost the listener's pipeline the calls behind it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "broadcast.h"
#include "group.h"
#include "identity.h"
#include "policy.h"
#include "publish.h"
#include "settings.h"

#define REASON_NO_CREDENTIALS "no_credentials"
#define REASON_GROUP_NOT_IN_SESSION "group_not_in_session"
#define REASON_TOO_LARGE "too_large"

PG_FUNCTION_INFO_V1(usher_admit);
PG_FUNCTION_INFO_V1(usher_recheck_admission);
PG_FUNCTION_INFO_V1(usher_identify);
PG_FUNCTION_INFO_V1(usher_admit_groups);
PG_FUNCTION_INFO_V1(usher_receive);
PG_FUNCTION_INFO_V1(usher_receive_json);
PG_FUNCTION_INFO_V1(usher_receive_binary);
PG_FUNCTION_INFO_V1(usher_can_join);
PG_FUNCTION_INFO_V1(usher_can_send);
PG_FUNCTION_INFO_V1(usher_explain);

/* A group as it was asked for, and what is known of it. */
typedef struct AskedGroup
{
	const char *name;
	size_t		name_len;
	bool		valid; /* parts are set */
	GroupParts	parts;
	Category   *category; /* NULL when not declared */
	const char *reason;	  /* why there is no category, or NULL */
} AskedGroup;

static AskedGroup
ask_group(const text *name)
{
	AskedGroup group = {.reason = POLICY_INVALID_GROUP};

	if (name == NULL)
		return group;
	group.name = VARDATA_ANY(name);
	group.name_len = VARSIZE_ANY_EXHDR(name);
	group.valid = group_parse(group.name, group.name_len, &group.parts);
	if (group.valid)
	{
		group.category = policy_category(&group.parts);
		group.reason = group.category ? NULL : POLICY_UNKNOWN_GROUP;
	}
	return group;
}

static text *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_TEXT_PP(n);
}

static char *
cstring_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static Datum
row_result(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(
		heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

static void
set_text(Datum *value, bool *isnull, const char *string)
{
	*isnull = string == NULL;
	if (string != NULL)
		*value = CStringGetTextDatum(string);
}

/*
 * Admission
 */

typedef struct Admission
{
	Identity	identity;
	bool		may_join;
	bool		may_send;
	const char *reason; /* why not: of the identity or of the group */
} Admission;

/* Is group among those the credential is restricted to? */
static bool
group_is_listed(ArrayType *groups, const AskedGroup *group)
{
	Datum *names;
	bool  *nulls;
	int	   count;

	deconstruct_array(groups, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls,
					  &count);
	for (int i = 0; i < count; i++)
	{
		text *name;

		if (nulls[i])
			continue;
		name = DatumGetTextPP(names[i]);
		if (VARSIZE_ANY_EXHDR(name) == group->name_len &&
			memcmp(VARDATA_ANY(name), group->name, group->name_len) == 0)
			return true;
	}
	return false;
}

/* What an identity that is good may do in a group that exists. */
static void
ask_policies(Admission *admission, const AskedGroup *group)
{
	const Identity *identity = &admission->identity;
	const Policy   *join = &group->category->join;
	const Policy   *send = &group->category->send;

	if (identity->groups != NULL && !group_is_listed(identity->groups, group))
	{
		admission->reason = REASON_GROUP_NOT_IN_SESSION;
		return;
	}

	admission->reason =
		policy_ask(join, identity->user_id, &group->parts, true);
	admission->may_join = admission->reason == NULL;
	if (!admission->may_join)
		return;

	/* Often the same function; one answer then serves both. */
	admission->may_send =
		strcmp(send->text, join->text) == 0 ||
		policy_ask(send, identity->user_id, &group->parts, true) == NULL;
}

/*
 * Nobody in particular is let in by POLICY_ANYONE and hears nothing about
 * groups otherwise, not even whether they exist.
 */
static void
admit_anonymous(Admission *admission, const AskedGroup *group)
{
	Identity *identity = &admission->identity;

	memset(identity, 0, sizeof(*identity));
	identity->kind = IDENTITY_KIND_ANONYMOUS;
	if (!group->valid)
		admission->reason = group->reason;
	else if (group->category == NULL ||
			 group->category->join.rule != POLICY_ANYONE)
		admission->reason = REASON_NO_CREDENTIALS;
	else
	{
		identity->valid = true;
		ask_policies(admission, group);
	}
}

/*
 * Authenticate without counting a use: somebody who misspells a group must
 * not lose a single-use key over it.
 */
static void
authenticate_only(const char *kind, text *credential, TimestampTz now,
				  Identity *identity)
{
	MemoryContext cxt = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(cxt);
	identity_authenticate(kind, credential, now, identity);
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(cxt);
	CurrentResourceOwner = owner;
}

static bool
is_anonymous(const char *kind)
{
	return kind != NULL && strcmp(kind, IDENTITY_KIND_ANONYMOUS) == 0;
}

/*
 * A Django session of a visitor who has not logged in is no bad credential:
 * to Django he is AnonymousUser.  So he enters where anyone may; elsewhere he
 * hears that nobody is logged in.
 */
static bool
is_anonymous_session(const Identity *identity, const AskedGroup *group)
{
	return !identity->valid && identity->reason != NULL &&
		   strcmp(identity->reason, IDENTITY_NO_USER_IN_SESSION) == 0 &&
		   group->category != NULL &&
		   group->category->join.rule == POLICY_ANYONE;
}

/* Once the identity is known. */
static void
finish_admission(Admission *admission, const AskedGroup *group)
{
	if (!admission->identity.valid)
		admission->reason = admission->identity.reason;
	else if (group->category == NULL)
		admission->reason = group->reason;
	else
		ask_policies(admission, group);
}

/* Milliseconds from now to then, rounded up: a timer never fires early. */
static int64
milliseconds_until(TimestampTz then, TimestampTz now)
{
	if (then <= now)
		return 0;
	return (then - now + 999) / 1000;
}

static Datum
admission_row(FunctionCallInfo fcinfo, const Admission *admission,
			  const AskedGroup *group, TimestampTz now)
{
	const Identity *identity = &admission->identity;
	Datum			values[13] = {0};
	bool			nulls[13] = {false};

	values[0] = BoolGetDatum(identity->valid);
	set_text(&values[1], &nulls[1], admission->reason);
	set_text(&values[2], &nulls[2], identity->user_id);
	set_text(&values[3], &nulls[3], identity->username);
	set_text(&values[4], &nulls[4], identity->kind);
	set_text(&values[5], &nulls[5], identity->credential_id);
	set_text(&values[6], &nulls[6], identity->issuer_id);
	nulls[7] = !identity->valid || !identity->has_expiry;
	if (!nulls[7])
		values[7] =
			Int64GetDatum(milliseconds_until(identity->expires_at, now));
	values[8] = BoolGetDatum(admission->may_join);
	values[9] = BoolGetDatum(admission->may_send);
	values[10] = BoolGetDatum(admission->may_join && group->category->plain);
	values[11] = BoolGetDatum(admission->may_join && group->category->presence);
	values[12] = BoolGetDatum(admission->may_join && group->category->durable);
	return row_result(fcinfo, values, nulls);
}

Datum
usher_admit(PG_FUNCTION_ARGS)
{
	char	   *kind = cstring_argument(fcinfo, 0);
	text	   *credential = text_argument(fcinfo, 1);
	AskedGroup	group = ask_group(text_argument(fcinfo, 2));
	TimestampTz now = GetCurrentTimestamp();
	Admission	admission = {.may_join = false};

	if (is_anonymous(kind))
		admit_anonymous(&admission, &group);
	else
	{
		if (group.category == NULL)
			authenticate_only(kind, credential, now, &admission.identity);
		else
			identity_authenticate(kind, credential, now, &admission.identity);
		if (is_anonymous_session(&admission.identity, &group))
			admit_anonymous(&admission, &group);
		else
			finish_admission(&admission, &group);
	}
	return admission_row(fcinfo, &admission, &group, now);
}

Datum
usher_recheck_admission(PG_FUNCTION_ARGS)
{
	char	   *kind = cstring_argument(fcinfo, 0);
	char	   *user_id = cstring_argument(fcinfo, 1);
	char	   *credential_id = cstring_argument(fcinfo, 2);
	AskedGroup	group = ask_group(text_argument(fcinfo, 3));
	TimestampTz now = GetCurrentTimestamp();
	Admission	admission = {.may_join = false};

	if (is_anonymous(kind))
		admit_anonymous(&admission, &group);
	else
	{
		identity_recheck(kind, user_id, credential_id, now,
						 &admission.identity);
		finish_admission(&admission, &group);
	}
	return admission_row(fcinfo, &admission, &group, now);
}

/* Nobody in particular, without a group to enter. */
static void
be_anonymous(Identity *identity)
{
	memset(identity, 0, sizeof(*identity));
	identity->kind = IDENTITY_KIND_ANONYMOUS;
	identity->valid = true;
}

Datum
usher_identify(PG_FUNCTION_ARGS)
{
	char	   *kind = cstring_argument(fcinfo, 0);
	AskedGroup	none = {0};
	TimestampTz now = GetCurrentTimestamp();
	Admission	admission = {.may_join = false};
	Identity   *identity = &admission.identity;

	if (is_anonymous(kind))
		be_anonymous(identity);
	else
	{
		identity_authenticate(kind, text_argument(fcinfo, 1), now, identity);
		if (!identity->valid && identity->reason != NULL &&
			strcmp(identity->reason, IDENTITY_NO_USER_IN_SESSION) == 0)
			be_anonymous(identity);
	}
	admission.reason = identity->reason;
	return admission_row(fcinfo, &admission, &none, now);
}

/*
 * Many groups at once
 */

/* What is said of each group: one digit to the base 32. */
#define RIGHT_JOIN 1
#define RIGHT_SEND 2
#define RIGHT_PLAIN 4
#define RIGHT_PRESENCE 8
#define RIGHT_DURABLE 16

/* Ask about one group for an identity that is good. */
static void
admit_to_group(const Identity *identity, const char *name, size_t len,
			   StringInfo rights, StringInfo reasons)
{
	AskedGroup group = ask_group(cstring_to_text_with_len(name, (int) len));
	Admission  admission = {.identity = *identity};
	int		   digit = 0;

	if (is_anonymous(identity->kind))
		admit_anonymous(&admission, &group);
	else
		finish_admission(&admission, &group);
	if (admission.may_join)
		digit = RIGHT_JOIN | (admission.may_send ? RIGHT_SEND : 0) |
				(group.category->plain ? RIGHT_PLAIN : 0) |
				(group.category->presence ? RIGHT_PRESENCE : 0) |
				(group.category->durable ? RIGHT_DURABLE : 0);
	else
		appendStringInfo(reasons, "%s%s", reasons->len > 0 ? " " : "",
						 admission.reason);
	appendStringInfoChar(rights, "0123456789abcdefghijklmnopqrstuv"[digit]);
}

Datum
usher_admit_groups(PG_FUNCTION_ARGS)
{
	char		  *kind = cstring_argument(fcinfo, 0);
	char		  *user_id = cstring_argument(fcinfo, 1);
	char		  *credential_id = cstring_argument(fcinfo, 2);
	char		  *groups = cstring_argument(fcinfo, 3);
	TimestampTz	   now = GetCurrentTimestamp();
	Identity	   identity;
	StringInfoData rights;
	StringInfoData reasons;
	Datum		   values[5] = {0};
	bool		   nulls[5] = {false};

	initStringInfo(&rights);
	initStringInfo(&reasons);
	if (is_anonymous(kind))
		be_anonymous(&identity);
	else
		identity_recheck(kind, user_id, credential_id, now, &identity);

	while (identity.valid && groups != NULL && *groups != '\0')
	{
		size_t len = strcspn(groups, ",");

		CHECK_FOR_INTERRUPTS();
		admit_to_group(&identity, groups, len, &rights, &reasons);
		groups += len + (groups[len] == ',' ? 1 : 0);
	}
	values[0] = BoolGetDatum(identity.valid);
	set_text(&values[1], &nulls[1], identity.reason);
	nulls[2] = !identity.valid || !identity.has_expiry;
	if (!nulls[2])
		values[2] = Int64GetDatum(milliseconds_until(identity.expires_at, now));
	set_text(&values[3], &nulls[3], rights.data);
	set_text(&values[4], &nulls[4], reasons.data);
	return row_result(fcinfo, values, nulls);
}

/*
 * A client's message
 */

/* Returns NULL when the message was accepted, else the reason. */
static const char *
receive(const char *user_id, const AskedGroup *group, PolicyMessage *message)
{
	char		name[GROUP_NAME_MAX + 1];
	const char *names[] = {name};
	const char *reason = group->reason;

	if (reason != NULL)
		return reason;
	if (message->len > (size_t) settings_max_payload_bytes)
		return REASON_TOO_LARGE;

	reason = policy_ask(&group->category->send, user_id, &group->parts, true);
	if (reason != NULL)
		return reason;

	if (group->category->on_message != NULL)
	{
		PolicyMessage in = *message;

		reason = policy_on_message(group->category, user_id, &group->parts, &in,
								   settings_max_payload_bytes, message);
		if (reason != NULL)
			return reason;
		if (message->bytes == NULL)
			return NULL; /* swallowed */
	}

	memcpy(name, group->name, group->name_len);
	name[group->name_len] = '\0';
	publish_message(names, 1, message->type, message->bytes, message->len);
	return NULL;
}

static Datum
receive_row(FunctionCallInfo fcinfo, BroadcastType type)
{
	char		 *user_id = cstring_argument(fcinfo, 0);
	AskedGroup	  group = ask_group(text_argument(fcinfo, 1));
	PolicyMessage message = {.type = type, .bytes = ""};
	Datum		  values[2];
	bool		  nulls[2] = {false};
	const char	 *reason;

	/* NULL is taken for what an empty frame is. */
	if (type == BROADCAST_JSON && !PG_ARGISNULL(2))
	{
		Jsonb *jsonb = PG_GETARG_JSONB_P(2);

		message.bytes = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
		message.len = strlen(message.bytes);
	}
	else if (!PG_ARGISNULL(2))
	{
		struct varlena *payload = PG_GETARG_VARLENA_PP(2);

		message.bytes = VARDATA_ANY(payload);
		message.len = VARSIZE_ANY_EXHDR(payload);
	}
	reason = receive(user_id, &group, &message);
	values[0] = BoolGetDatum(reason == NULL);
	set_text(&values[1], &nulls[1], reason);
	return row_result(fcinfo, values, nulls);
}

Datum
usher_receive(PG_FUNCTION_ARGS)
{
	return receive_row(fcinfo, BROADCAST_TEXT);
}

Datum
usher_receive_json(PG_FUNCTION_ARGS)
{
	return receive_row(fcinfo, BROADCAST_JSON);
}

Datum
usher_receive_binary(PG_FUNCTION_ARGS)
{
	return receive_row(fcinfo, BROADCAST_BINARY);
}

/*
 * Questions a site asks
 */

Datum
usher_can_join(PG_FUNCTION_ARGS)
{
	char	  *user_id = cstring_argument(fcinfo, 0);
	AskedGroup group = ask_group(text_argument(fcinfo, 1));

	PG_RETURN_BOOL(group.category != NULL &&
				   policy_ask(&group.category->join, user_id, &group.parts,
							  false) == NULL);
}

Datum
usher_can_send(PG_FUNCTION_ARGS)
{
	char	  *user_id = cstring_argument(fcinfo, 0);
	AskedGroup group = ask_group(text_argument(fcinfo, 1));

	PG_RETURN_BOOL(group.category != NULL &&
				   policy_ask(&group.category->send, user_id, &group.parts,
							  false) == NULL);
}

Datum
usher_explain(PG_FUNCTION_ARGS)
{
	char		   *user_id = cstring_argument(fcinfo, 0);
	text		   *name = text_argument(fcinfo, 1);
	AskedGroup		group = ask_group(name);
	const Category *category = group.category;
	Datum			values[12] = {0};
	bool			nulls[12] = {false};
	const char	   *join_reason = group.reason;
	const char	   *send_reason = group.reason;

	if (category != NULL)
	{
		join_reason = policy_ask(&category->join, user_id, &group.parts, false);
		send_reason = policy_ask(&category->send, user_id, &group.parts, false);
	}

	nulls[0] = name == NULL;
	if (name != NULL)
		values[0] = PointerGetDatum(name);
	nulls[1] = nulls[2] = !group.valid;
	if (group.valid)
	{
		values[1] = PointerGetDatum(cstring_to_text_with_len(
			group.parts.category, (int) group.parts.category_len));
		values[2] = PointerGetDatum(
			cstring_to_text_with_len(group.parts.id, (int) group.parts.id_len));
	}
	values[3] = BoolGetDatum(category != NULL);
	set_text(&values[4], &nulls[4], category ? category->join.text : NULL);
	values[5] = BoolGetDatum(join_reason == NULL);
	set_text(&values[6], &nulls[6], join_reason);
	set_text(&values[7], &nulls[7], category ? category->send.text : NULL);
	values[8] = BoolGetDatum(send_reason == NULL);
	set_text(&values[9], &nulls[9], send_reason);
	set_text(&values[10], &nulls[10],
			 category ? category->on_message_text : NULL);
	values[11] = BoolGetDatum(category != NULL && category->plain);
	return row_result(fcinfo, values, nulls);
}
