/*-------------------------------------------------------------------------
 *
 * pages.h
 *	  The files that usherd serves: its client, and the page to try it with.
 *
 * They are part of the program; the database need not be there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_PAGES_H
#define USHER_PAGES_H

#include "client.h"

/* GET or HEAD /usher.js: the client, for pages of any origin. */
void pages_send_script(Client *client);

/* GET or HEAD /: the page; not found unless the setting page is on. */
void pages_send_page(Client *client);

#endif
