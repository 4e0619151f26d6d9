/*-------------------------------------------------------------------------
 *
 * broadcast.c
 *	  Everything the extension tells listeners, as NOTIFY on the secret channel.
 *
 * A notification is one line; its first character says what it is:
 *
 *	  m <id> <type> <groups> <payload>			a message
 *	  c <id> <i> <n> <type> <groups> <chunk>	a part of a longer message
 *	  r <id> c|u|k|a [<which>]					credentials revoked
 *	  k <id> <group> <user_id>					kick
 *	  p <id> <category>							a category's rules changed
 *	  e <id> <credential_id>					a credential ends sooner
 *	  b											a message of a durable group
 *	  ? <nonce>									canary
 *
 * PostgreSQL drops a notification that equals another of its transaction, so
 * <id> makes each one different; one bell is enough for a transaction.  The
 *last field is everything that follows, whatever it contains.  The chunks of a
 *message are made by one call, hence contiguous in the queue; <groups> is "-"
 *in all but the first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "common/base64.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "argument.h"
#include "broadcast.h"
#include "settings.h"
#include "store.h"

/* Longest payload Async_Notify takes: async.c, NOTIFY_PAYLOAD_MAX_LENGTH. */
#define NOTIFY_MAX_BYTES (BLCKSZ - NAMEDATALEN - 128 - 1)

/* 64 bits in hexadecimal. */
#define ID_LEN 16

/* "m <id> <type> <groups> <payload>" without groups and payload. */
#define MESSAGE_OVERHEAD (2 + ID_LEN + 3 + 1)
#define MESSAGE_ROOM (NOTIFY_MAX_BYTES - MESSAGE_OVERHEAD)

/* The same of a chunk, with 8 digits for each number: more than 1 GB needs. */
#define CHUNK_OVERHEAD (2 + ID_LEN + 1 + 8 + 1 + 8 + 3 + 1)

/* A nonce is echoed, nothing more; a bound keeps it one short line. */
#define NONCE_MAX_BYTES 128

PG_FUNCTION_INFO_V1(usher_kick);
PG_FUNCTION_INFO_V1(usher_recheck);
PG_FUNCTION_INFO_V1(usher_recheck_user);
PG_FUNCTION_INFO_V1(usher_recheck_category);
PG_FUNCTION_INFO_V1(usher_announce_presence);
PG_FUNCTION_INFO_V1(usher_listener_start);
PG_FUNCTION_INFO_V1(usher_canary);

/*
 * Each id is used once: a random start per backend, then counted up.  The
 * result is overwritten by the next call.
 */
static const char *
next_id(void)
{
	static bool	  seeded = false;
	static uint64 last;
	static char	  id[ID_LEN + 1];

	if (!seeded)
	{
		if (!pg_strong_random(&last, sizeof(last)))
			ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
					errmsg("could not generate random values"));
		seeded = true;
	}
	last++;
	snprintf(id, sizeof(id), "%016llx", (unsigned long long) last);
	return id;
}

static void
send_line(const char *line)
{
	/* Async_Notify leaves this to its callers; a standby has no queue. */
	PreventCommandDuringRecovery("NOTIFY");
	Async_Notify(store_instance()->channel, line);
}

/*
 * Send a line made of fields that are nearly always short.  One that is too
 * long can only name a user whose id is too long to ever authenticate
 * (bad_user_id), so there is nobody to tell it about, and a site's own DELETE
 * must not fail for it.
 */
static void
send_notice(const char *line)
{
	if (strlen(line) <= NOTIFY_MAX_BYTES)
		send_line(line);
}

void
broadcast_revoke_credential(const char *credential_id)
{
	send_notice(psprintf("r %s c %s", next_id(), credential_id));
}

void
broadcast_ends_sooner(const char *credential_id)
{
	send_notice(psprintf("e %s %s", next_id(), credential_id));
}

void
broadcast_revoke_user(const char *user_id)
{
	send_notice(psprintf("r %s u %s", next_id(), user_id));
}

void
broadcast_revoke_kind(const char *kind)
{
	send_notice(psprintf("r %s k %s", next_id(), kind));
}

void
broadcast_revoke_all(void)
{
	send_notice(psprintf("r %s a", next_id()));
}

void
broadcast_kick(const char *group, const char *user_id)
{
	send_notice(psprintf("k %s %s %s", next_id(), group, user_id));
}

void
broadcast_policy(const char *category)
{
	send_notice(psprintf("p %s %s", next_id(), category));
}

void
broadcast_recheck_group(const char *group)
{
	send_notice(psprintf("q %s g %s", next_id(), group));
}

void
broadcast_recheck_user(const char *user_id)
{
	send_notice(psprintf("q %s u %s", next_id(), user_id));
}

void
broadcast_bell(void)
{
	send_line("b");
}

void
broadcast_presence(const char *group, bool joined, const char *user)
{
	send_notice(
		psprintf("s %s %c %s %s", next_id(), joined ? 'j' : 'l', group, user));
}

/* How much of string fits into room without splitting a character. */
static int
clip(const char *string, int len, int room)
{
	int clipped;

	if (len <= room)
		return len;
	clipped = pg_mbcliplen(string, len, room);
	return clipped > 0 ? clipped : room;
}

static void
send_chunks(BroadcastType type, StringInfo groups, const char *body, int len)
{
	int			   first_room = NOTIFY_MAX_BYTES - CHUNK_OVERHEAD - groups->len;
	int			   room = NOTIFY_MAX_BYTES - CHUNK_OVERHEAD - 1;
	int			   count = 0;
	char		   id[ID_LEN + 1];
	StringInfoData line;

	strlcpy(id, next_id(), sizeof(id));
	for (int offset = 0; offset < len; count++)
		offset +=
			clip(body + offset, len - offset, offset == 0 ? first_room : room);

	initStringInfo(&line);
	for (int i = 1, offset = 0; i <= count; i++)
	{
		int take =
			clip(body + offset, len - offset, offset == 0 ? first_room : room);

		CHECK_FOR_INTERRUPTS();
		resetStringInfo(&line);
		appendStringInfo(&line, "c %s %d %d %c %s ", id, i, count, (char) type,
						 i == 1 ? groups->data : "-");
		appendBinaryStringInfo(&line, body + offset, take);
		send_line(line.data);
		offset += take;
	}
	pfree(line.data);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static char *
encode_base64(const char *bytes, int len, int *encoded_len)
{
	int	  cap = pg_b64_enc_len(len);
	char *encoded = palloc(cap + 1);

	/* The input's type differs between versions. */
	*encoded_len = pg_b64_encode((const void *) bytes, len, encoded, cap);
	if (*encoded_len < 0)
		elog(ERROR, "could not encode %d bytes as base64", len);
	encoded[*encoded_len] = '\0';
	return encoded;
}

void
broadcast_message(const char **groups, int ngroups, BroadcastType type,
				  const char *payload, size_t payload_len)
{
	const char	  *body = payload;
	int			   body_len = (int) payload_len;
	int			   groups_room;
	StringInfoData names;
	StringInfoData line;

	if (ngroups == 0)
		return;
	if (type == BROADCAST_BINARY)
		body = encode_base64(payload, body_len, &body_len);
	if (ngroups > 1)
		qsort(groups, ngroups, sizeof(*groups), compare_names);

	/*
	 * As many groups as fit share a notification.  A payload that takes more
	 * than half of one is cut anyway when there are many groups; it then
	 * leaves them half of the first chunk.
	 */
	groups_room = Max(MESSAGE_ROOM - body_len, MESSAGE_ROOM / 2);

	initStringInfo(&names);
	initStringInfo(&line);
	for (int i = 0; i < ngroups;)
	{
		resetStringInfo(&names);
		for (; i < ngroups; i++)
		{
			int len = (int) strlen(groups[i]);

			if (i > 0 && strcmp(groups[i], groups[i - 1]) == 0)
				continue;
			if (names.len > 0 && names.len + 1 + len > groups_room)
				break;
			if (names.len > 0)
				appendStringInfoChar(&names, ',');
			appendBinaryStringInfo(&names, groups[i], len);
		}
		CHECK_FOR_INTERRUPTS();

		if (names.len + body_len > MESSAGE_ROOM)
		{
			send_chunks(type, &names, body, body_len);
			continue;
		}
		resetStringInfo(&line);
		appendStringInfo(&line, "m %s %c %s ", next_id(), (char) type,
						 names.data);
		appendBinaryStringInfo(&line, body, body_len);
		send_line(line.data);
	}
	pfree(names.data);
	pfree(line.data);
	if (body != payload)
		pfree(unconstify(char *, body));
}

/*
 * The SQL functions
 */

Datum
usher_kick(PG_FUNCTION_ARGS)
{
	argument_require(fcinfo, 0, "user_id");
	argument_require(fcinfo, 1, "group");
	broadcast_kick(argument_group(PG_GETARG_DATUM(1)),
				   TextDatumGetCString(PG_GETARG_DATUM(0)));
	PG_RETURN_VOID();
}

Datum
usher_recheck(PG_FUNCTION_ARGS)
{
	argument_require(fcinfo, 0, "group");
	broadcast_recheck_group(argument_group(PG_GETARG_DATUM(0)));
	PG_RETURN_VOID();
}

Datum
usher_recheck_user(PG_FUNCTION_ARGS)
{
	argument_require(fcinfo, 0, "user_id");
	broadcast_recheck_user(TextDatumGetCString(PG_GETARG_DATUM(0)));
	PG_RETURN_VOID();
}

/* Internal and STRICT, as the next one. */
Datum
usher_recheck_category(PG_FUNCTION_ARGS)
{
	broadcast_policy(TextDatumGetCString(PG_GETARG_DATUM(0)));
	PG_RETURN_VOID();
}

Datum
usher_announce_presence(PG_FUNCTION_ARGS)
{
	broadcast_presence(argument_group(PG_GETARG_DATUM(1)), PG_GETARG_BOOL(0),
					   TextDatumGetCString(PG_GETARG_DATUM(2)));
	PG_RETURN_VOID();
}

/* The version that CREATE or ALTER EXTENSION installed in this database. */
static Datum
installed_version(void)
{
	Datum version = (Datum) 0;
	bool  isnull = true;

	SPI_connect();
	if (SPI_execute("SELECT extversion FROM pg_catalog.pg_extension "
					"WHERE extname OPERATOR(pg_catalog.=) 'usher'",
					true, 1) == SPI_OK_SELECT &&
		SPI_processed == 1)
	{
		version = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
								&isnull);
		version = SPI_datumTransfer(version, false, -1);
	}
	SPI_finish();
	if (isnull)
		elog(ERROR, "extension usher has no version");
	return version;
}

Datum
usher_listener_start(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum	  values[3];
	bool	  nulls[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(store_instance()->channel);
	values[1] = installed_version();
	values[2] = Int32GetDatum(settings_max_payload_bytes);
	PG_RETURN_DATUM(HeapTupleGetDatum(
		heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

Datum
usher_canary(PG_FUNCTION_ARGS)
{
	char *nonce = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (strlen(nonce) == 0 || strlen(nonce) > NONCE_MAX_BYTES)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("nonce must have 1 to %d bytes", NONCE_MAX_BYTES));
	send_line(psprintf("? %s", nonce));

	/*
	 * Besides measuring, this moves the queue's tail: a queue that a stuck
	 * listener filled stays full, after that listener is gone, until somebody
	 * asks.
	 */
	PG_RETURN_DATUM(OidFunctionCall0(F_PG_NOTIFICATION_QUEUE_USAGE));
}
