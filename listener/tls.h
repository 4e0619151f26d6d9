/*-------------------------------------------------------------------------
 *
 * tls.h
 *	  A certificate and its key: do they belong together, and into use.
 *
 * OpenSSL puts half of a bad pair into use before it complains, so a pair is
 * tried in a scratch context first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_TLS_H
#define USHER_TLS_H

#include "common.h"

/*
 * tls_check_pair
 *		Whether the PEM chain and key load and belong together; error is a
 *		sentence when not.
 */
bool tls_check_pair(const char *certificate, const char *key, char *error,
					size_t error_cap) MUST_CHECK;

/* OpenSSL's SSL_CTX. */
struct ssl_ctx_st;

/* Let new connections of context have this pair; the same errors. */
bool tls_use_pair(struct ssl_ctx_st *context, const char *certificate,
				  const char *key, char *error, size_t error_cap) MUST_CHECK;

#endif
