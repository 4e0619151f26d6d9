/*-------------------------------------------------------------------------
 *
 * allowance.c
 *	  How much a client may send, and be in.
 *
 *-------------------------------------------------------------------------
 */
#include "allowance.h"

/* A message passes as many of these as apply to its client. */
typedef struct Gate
{
	TokenBucket *bucket;
	const char	*reason;
	uint64_t	 tokens;
	uint64_t	 rate; /* per second; 0: no limit */
	uint64_t	 burst;
} Gate;

#define GATE_COUNT 6

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
add_messages(Gate gates[GATE_COUNT], size_t *count, TokenBucket *bucket,
			 uint64_t messages, uint64_t rate, uint64_t burst)
{
	gates[(*count)++] = (Gate){bucket, "message_rate", messages, rate, burst};
}

static void
add_bytes(Gate gates[GATE_COUNT], size_t *count, TokenBucket *bucket,
		  uint64_t bytes, uint64_t rate, const Config *config)
{
	gates[(*count)++] =
		(Gate){bucket, "byte_rate", bytes, rate,
			   /* any message that may be sent may be sent some time */
			   larger(2 * rate, config->max_message_bytes)};
}

/* The gates of what all holders of key send. */
static void
add_shared(Gate gates[GATE_COUNT], size_t *count, LimitKey *key,
		   uint64_t messages, uint64_t message_rate, uint64_t bytes,
		   uint64_t byte_rate, const Config *config)
{
	if (key == NULL)
		return;
	add_messages(gates, count, limit_messages(key), messages, message_rate,
				 larger(2 * message_rate, config->message_burst));
	add_bytes(gates, count, limit_bytes(key), bytes, byte_rate, config);
}

const char *
allowance_message(Client *client, uint32_t messages, size_t bytes,
				  uint64_t *retry_after_ms)
{
	const Config *config = client->env->config;
	uint64_t	  now_ms = loop_now_ms(client->env->loop);
	Gate		  gates[GATE_COUNT];
	size_t		  count = 0;
	const char	 *reason = NULL;

	add_messages(gates, &count, &client->bucket, messages, config->message_rate,
				 config->message_burst);
	add_bytes(gates, &count, &client->byte_bucket, bytes, config->byte_rate,
			  config);
	add_shared(gates, &count, client->user_limit, messages,
			   config->message_rate_per_user, bytes, config->byte_rate_per_user,
			   config);
	add_shared(gates, &count, client->address_limit, messages,
			   config->message_rate_per_address, bytes,
			   config->byte_rate_per_address, config);

	*retry_after_ms = 0;
	for (size_t i = 0; i < count; i++)
	{
		uint64_t wait_ms = limit_wait_ms(gates[i].bucket, gates[i].tokens,
										 gates[i].rate, gates[i].burst, now_ms);

		if (wait_ms > *retry_after_ms)
		{
			*retry_after_ms = wait_ms;
			reason = gates[i].reason;
		}
	}
	for (size_t i = 0; i < count && reason == NULL; i++)
		limit_spend(gates[i].bucket, gates[i].tokens, gates[i].rate);
	return reason;
}

const char *
allowance_group(Client *client)
{
	const Config *config = client->env->config;

	if (client->group_count >= config->max_groups ||
		!limit_use(client->user_limit, config->max_groups_per_user))
		return "too_many_groups";
	if (!limit_use(client->address_limit, config->max_groups_per_address))
	{
		limit_unuse(client->user_limit, 1);
		return "too_many_groups";
	}
	client->group_count++;
	return NULL;
}

void
allowance_release_groups(Client *client, uint32_t count)
{
	client->group_count -= count;
	limit_unuse(client->user_limit, count);
	limit_unuse(client->address_limit, count);
}
