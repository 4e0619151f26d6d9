/*-------------------------------------------------------------------------
 *
 * inflight.c
 *	  What a client asked for and the database has not answered yet.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "client.h"

void
client_in_flight_add(Client *client, InFlight *item, Call *call)
{
	item->client = client;
	item->call = call;
	item->next = client->in_flight;
	item->link = &client->in_flight;
	if (item->next != NULL)
		item->next->link = &item->next;
	client->in_flight = item;
	if (++client->in_flight_count >= client->env->config->max_inflight)
		transport_pause(client->peer, true);
}

void
client_in_flight_answered(InFlight *item)
{
	Client *client = item->client;

	*item->link = item->next;
	if (item->next != NULL)
		item->next->link = item->link;
	client->in_flight_count--;
	if (client->state == CLIENT_OPEN &&
		client->in_flight_count < client->env->config->max_inflight)
		transport_pause(client->peer, false);
}

void
client_in_flight_cancel(Client *client)
{
	while (client->in_flight != NULL)
	{
		InFlight *item = client->in_flight;

		calls_cancel(item->call);
		client_in_flight_answered(item);
		free(item);
	}
}

void
client_in_flight_abandon(Client *client)
{
	while (client->in_flight != NULL)
	{
		InFlight *item = client->in_flight;

		calls_abandon(item->call);
		client_in_flight_answered(item);
		free(item);
	}
}
