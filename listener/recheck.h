/*-------------------------------------------------------------------------
 *
 * recheck.h
 *	  Is an open client still who it was, and may it still be where it is?
 *
 * Asked for everybody after the feed has missed something (PostgreSQL was
 * away), for the members of a category whose policy changed, for a group or a
 * user that a site names, for a credential that ends sooner, and, where its end
 *may have been put off, when it comes. Clients wait in a list; a bounded number
 *of questions is under way at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_RECHECK_H
#define USHER_RECHECK_H

#include "client.h"

/* Queue every open client. */
void recheck_everybody(ClientEnv *env);

/* Queue the members of every group of that category. */
void recheck_category(ClientEnv *env, Slice category);

/* Queue the members of that group. */
void recheck_group(ClientEnv *env, Slice group);

/* Queue the clients of that user. */
void recheck_user(ClientEnv *env, Slice user_id);

/* Queue those with that credential, or with one it issued. */
void recheck_credential(ClientEnv *env, Slice credential_id);

/* End-of-turn step: ask about those who wait, as far as the bound allows. */
void recheck_pump(ClientEnv *env);

#endif
