/*-------------------------------------------------------------------------
 *
 * publish.c
 *	  usher.broadcast and its like: which way a message takes to its groups.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "argument.h"
#include "durable.h"
#include "group.h"
#include "policy.h"
#include "publish.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(usher_broadcast);
PG_FUNCTION_INFO_V1(usher_broadcast_many);
PG_FUNCTION_INFO_V1(usher_broadcast_text);
PG_FUNCTION_INFO_V1(usher_broadcast_text_many);
PG_FUNCTION_INFO_V1(usher_broadcast_binary);
PG_FUNCTION_INFO_V1(usher_broadcast_binary_many);

static bool
is_durable(const char *group)
{
	GroupParts parts;
	Category  *category;

	if (!group_parse(group, strlen(group), &parts))
		return false;
	category = policy_category(&parts);
	return category != NULL && category->durable;
}

void
publish_message(const char **groups, int ngroups, BroadcastType type,
				const char *payload, size_t len)
{
	const char **kept = palloc(sizeof(*kept) * Max(ngroups, 1));
	int			 nkept = 0;
	int			 nothers = 0;

	for (int i = 0; i < ngroups; i++)
	{
		if (is_durable(groups[i]))
			kept[nkept++] = groups[i];
		else
			groups[nothers++] = groups[i];
	}
	durable_store(kept, nkept, type, payload, len);
	broadcast_message(groups, nothers, type, payload, len);
	pfree(kept);
}

static Datum
broadcast(FunctionCallInfo fcinfo, bool many, BroadcastType type)
{
	const char	*one;
	const char **groups = &one;
	int			 count = 1;
	const char	*payload;
	size_t		 len;

	argument_require(fcinfo, 0, many ? "groups" : "group");
	argument_require(fcinfo, 1, "payload");

	if (many)
		groups = argument_groups(PG_GETARG_ARRAYTYPE_P(0), &count);
	else
		one = argument_group(PG_GETARG_DATUM(0));

	if (type == BROADCAST_JSON)
	{
		Jsonb *jsonb = PG_GETARG_JSONB_P(1);

		payload = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
		len = strlen(payload);
	}
	else
	{
		struct varlena *bytes = PG_GETARG_VARLENA_PP(1);

		payload = VARDATA_ANY(bytes);
		len = VARSIZE_ANY_EXHDR(bytes);
	}

	if (len > (size_t) settings_max_payload_bytes)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("payload is too large"),
				errdetail("The payload has %zu bytes; the limit is %d bytes.",
						  len, settings_max_payload_bytes),
				errhint("Send a reference to the data, or raise "
						"usher.max_payload."));

	publish_message(groups, count, type, payload, len);
	PG_RETURN_VOID();
}

Datum
usher_broadcast(PG_FUNCTION_ARGS)
{
	return broadcast(fcinfo, false, BROADCAST_JSON);
}

Datum
usher_broadcast_many(PG_FUNCTION_ARGS)
{
	return broadcast(fcinfo, true, BROADCAST_JSON);
}

Datum
usher_broadcast_text(PG_FUNCTION_ARGS)
{
	return broadcast(fcinfo, false, BROADCAST_TEXT);
}

Datum
usher_broadcast_text_many(PG_FUNCTION_ARGS)
{
	return broadcast(fcinfo, true, BROADCAST_TEXT);
}

Datum
usher_broadcast_binary(PG_FUNCTION_ARGS)
{
	return broadcast(fcinfo, false, BROADCAST_BINARY);
}

Datum
usher_broadcast_binary_many(PG_FUNCTION_ARGS)
{
	return broadcast(fcinfo, true, BROADCAST_BINARY);
}
