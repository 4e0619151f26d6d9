/*-------------------------------------------------------------------------
 *
 * questions.c
 *	  The kinds of calls by their names.
 *
 *-------------------------------------------------------------------------
 */
#include "calls.h"

#include <inttypes.h>
#include <stdio.h>

#include "credentials.h"

/* Of the two verbs the one that fits the credential. */
static CallVerb
verb_for(const char *kind, CallVerb any, CallVerb session)
{
	return strcmp(kind, CREDENTIAL_SESSION) == 0 ? session : any;
}

Call *
calls_admit(Calls *calls, const char *kind, Slice credential, Slice group,
			uint64_t timeout_ms, AdmitDone done, void *arg)
{
	Slice		 arguments[] = {slice_of(kind), credential, group};
	CallQuestion question = {
		.verb = verb_for(kind, CALL_ADMIT, CALL_ADMIT_SESSION),
		.arguments = arguments,
		.argument_count = lengthof(arguments),
		.timeout_ms = timeout_ms,
		.done.admit = done,
		.arg = arg,
	};

	return calls_ask(calls, &question);
}

Call *
calls_identify(Calls *calls, const char *kind, Slice credential,
			   uint64_t timeout_ms, AdmitDone done, void *arg)
{
	Slice		 arguments[] = {slice_of(kind), credential};
	CallQuestion question = {
		.verb = verb_for(kind, CALL_IDENTIFY, CALL_IDENTIFY_SESSION),
		.arguments = arguments,
		.argument_count = lengthof(arguments),
		.timeout_ms = timeout_ms,
		.done.admit = done,
		.arg = arg,
	};

	return calls_ask(calls, &question);
}

Call *
calls_recheck(Calls *calls, const char *kind, const char *user_id,
			  const char *credential_id, Slice group, uint64_t timeout_ms,
			  AdmitDone done, void *arg)
{
	Slice		 arguments[] = {slice_of(kind), slice_of(user_id),
								slice_of(credential_id), group};
	CallQuestion question = {
		.verb = CALL_RECHECK,
		.arguments = arguments,
		.argument_count = lengthof(arguments),
		.timeout_ms = timeout_ms,
		.done.admit = done,
		.arg = arg,
	};

	return calls_ask(calls, &question);
}

Call *
calls_admit_groups(Calls *calls, const char *kind, const char *user_id,
				   const char *credential_id, Slice groups, uint64_t timeout_ms,
				   GroupsDone done, void *arg)
{
	Slice		 arguments[] = {slice_of(kind), slice_of(user_id),
								slice_of(credential_id), groups};
	CallQuestion question = {
		.verb = CALL_ADMIT_GROUPS,
		.arguments = arguments,
		.argument_count = lengthof(arguments),
		.timeout_ms = timeout_ms,
		.done.groups = done,
		.arg = arg,
	};

	return calls_ask(calls, &question);
}

Call *
calls_receive(Calls *calls, uint64_t order_key, const char *user_id,
			  Slice group, CallPayload type, Slice payload, uint64_t timeout_ms,
			  ReceiveDone done, void *arg)
{
	static const CallVerb verbs[] = {
		[CALL_TEXT] = CALL_RECEIVE,
		[CALL_JSON] = CALL_RECEIVE_JSON,
		[CALL_BINARY] = CALL_RECEIVE_BINARY,
	};
	Slice		 arguments[] = {slice_of(user_id), group, payload};
	CallQuestion question = {
		.verb = verbs[type],
		.arguments = arguments,
		.argument_count = lengthof(arguments),
		.order_key = order_key,
		.timeout_ms = timeout_ms,
		.done.receive = done,
		.arg = arg,
	};

	/* An empty message is not NULL. */
	if (payload.ptr == NULL)
		arguments[2] = (Slice){"", 0};
	return calls_ask(calls, &question);
}

Call *
calls_exchange(Calls *calls, const char *kind, Slice credential, Slice options,
			   uint64_t timeout_ms, ExchangeDone done, void *arg)
{
	Slice		 arguments[] = {slice_of(kind), credential, options};
	CallQuestion question = {
		.verb = CALL_EXCHANGE,
		.arguments = arguments,
		.argument_count = lengthof(arguments),
		.timeout_ms = timeout_ms,
		.done.exchange = done,
		.arg = arg,
	};

	return calls_ask(calls, &question);
}

Call *
calls_report(Calls *calls, Slice report, uint64_t timeout_ms, ReportDone done,
			 void *arg)
{
	CallQuestion question = {
		.verb = CALL_REPORT,
		.arguments = &report,
		.argument_count = 1,
		.timeout_ms = timeout_ms,
		.done.report = done,
		.arg = arg,
	};

	return calls_ask(calls, &question);
}

Call *
calls_presence(Calls *calls, Slice group, uint64_t timeout_ms,
			   PresenceDone done, void *arg)
{
	CallQuestion question = {
		.verb = CALL_PRESENCE,
		.arguments = &group,
		.argument_count = 1,
		.timeout_ms = timeout_ms,
		.done.presence = done,
		.arg = arg,
	};

	return calls_ask(calls, &question);
}

Call *
calls_stream(Calls *calls, Slice group, uint64_t since, uint32_t limit,
			 uint64_t timeout_ms, StreamDone done, void *arg)
{
	char		 since_text[24];
	char		 limit_text[16];
	Slice		 arguments[] = {group, SLICE_NONE, SLICE_NONE};
	CallQuestion question = {
		.verb = CALL_STREAM,
		.arguments = arguments,
		.argument_count = lengthof(arguments),
		.timeout_ms = timeout_ms,
		.done.stream = done,
		.arg = arg,
	};

	snprintf(since_text, sizeof(since_text), "%" PRIu64, since);
	snprintf(limit_text, sizeof(limit_text), "%" PRIu32, limit);
	if (limit > 0)
	{
		arguments[1] = slice_of(since_text);
		arguments[2] = slice_of(limit_text);
	}
	return calls_ask(calls, &question);
}

Call *
calls_purge(Calls *calls, uint32_t batch, uint64_t timeout_ms, PurgeDone done,
			void *arg)
{
	char		 text[16];
	Slice		 argument;
	CallQuestion question = {
		.verb = CALL_PURGE,
		.arguments = &argument,
		.argument_count = 1,
		.timeout_ms = timeout_ms,
		.done.purge = done,
		.arg = arg,
	};

	snprintf(text, sizeof(text), "%" PRIu32, batch);
	argument = slice_of(text);
	return calls_ask(calls, &question);
}
