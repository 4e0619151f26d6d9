/*-------------------------------------------------------------------------
 *
 * recheck.c
 *	  Is an open client still who it was, and may it still be where it is?
 *
 * A client that is asked about is out of the list and has a call; one whose
 * question could not be answered goes back to the list's end.  Until the answer
 * says that all is well an open client is held: "these are the new rules; this
 * is for those who may stay" in one transaction shows the others nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "recheck.h"

#include "admission.h"
#include "reception.h"
#include "refusal.h"

/* Leave room in the links for newcomers. */
#define RECHECK_MAX_PENDING 512
/* How long to leave a database alone that could not answer. */
#define RECHECK_PAUSE_MS 1000

void
recheck_everybody(ClientEnv *env)
{
	for (Client *client = env->all; client != NULL; client = client->all_next)
		if (client->member.group != NULL)
			client_wait(client, &env->rechecks);
}

/* Category and id of a group are split at the last '_' (DESIGN section 1). */
static bool
group_is_of(const HubGroup *group, Slice category)
{
	const char *split = strrchr(group->name, '_');
	size_t len = split ? (size_t) (split - group->name) : strlen(group->name);

	return len == category.len && memcmp(group->name, category.ptr, len) == 0;
}

void
recheck_category(ClientEnv *env, Slice category)
{
	for (HubGroup *group = hub_next_group(env->hub, NULL); group != NULL;
		 group = hub_next_group(env->hub, group))
		if (group_is_of(group, category))
			for (uint32_t i = 0; i < group->member_count; i++)
				client_wait(client_of_member(group->members[i]),
							&env->rechecks);
}

static void
queue_occupant(HubOccupant *occupant, void *arg)
{
	Client *client = client_of_occupant(occupant);

	(void) arg;
	if (client->member.group != NULL)
		client_wait(client, &client->env->rechecks);
}

void
recheck_credential(ClientEnv *env, Slice credential_id)
{
	hub_each(env->hub, HUB_BY_CREDENTIAL, credential_id, queue_occupant, NULL);
}

static void
on_answer(void *arg, const AdmitAnswer *answer)
{
	Client		  *client = arg;
	ClientEnv	  *env = client->env;
	const Refusal *refusal;

	client->call = NULL;
	if (client->recheck_again)
		client_wait(client, &env->rechecks);
	client->recheck_again = false;
	switch (answer->status)
	{
		case CALL_UNAVAILABLE:
		case CALL_OVERLOADED:
			/* Not knowing is no reason to close: ask again when it can be.
			 * Meanwhile nothing is shown to it (client_is_held). */
			client_wait(client, &env->rechecks);
			env->recheck_after_ms = loop_now_ms(env->loop) + RECHECK_PAUSE_MS;
			return;
		case CALL_FAILED:
			/* Asking again would fail again. */
			reception_close(client, WS_CLOSE_INTERNAL_ERROR, "internal_error");
			return;
		case CALL_OK: break;
	}
	if (answer->valid && answer->may_join)
	{
		if (answer->plain != client->plain)
			admission_set_plain(client, answer->plain);
		client_set_expiry(client, answer->expires_in_ms);
		client_flush(client);
		return;
	}
	refusal = refusal_for(answer->reason);
	if (answer->valid)
		reception_close(client, WS_CLOSE_FORBIDDEN, refusal->reason);
	else if (refusal->close_code == WS_CLOSE_EXPIRED)
		reception_close(client, WS_CLOSE_EXPIRED, refusal->reason);
	else if (client->occupant.user_id == NULL)
		/* nobody ever was identified here: the group's policy closed it */
		reception_close(client, WS_CLOSE_FORBIDDEN, "not_allowed");
	else
		reception_close(client, WS_CLOSE_REVOKED, "revoked");
}

void
recheck_pump(ClientEnv *env)
{
	if (loop_now_ms(env->loop) < env->recheck_after_ms)
		return;
	while (env->rechecks.first != NULL && calls_ready(env->calls) &&
		   calls_pending(env->calls) < RECHECK_MAX_PENDING)
	{
		Client	   *client = env->rechecks.first;
		const char *name = client->member.group->name;

		client_stop_waiting(client, &env->rechecks);
		if (client->call != NULL)
		{
			/* The answer on its way may be older than what made us ask. */
			client->recheck_again = true;
			continue;
		}
		client->call = calls_recheck(
			env->calls, client->kind, client->occupant.user_id,
			client->occupant.credential_id, (Slice){name, strlen(name)},
			env->config->auth_timeout_ms, on_answer, client);
		if (client->call == NULL)
		{
			client_wait(client, &env->rechecks);
			return; /* out of memory: later */
		}
	}
}
