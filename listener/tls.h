/*-------------------------------------------------------------------------
 *
 * tls.h
 *	  Checks a certificate and its key before libwebsockets is given them.
 *
 * lws_tls_cert_updated() reports success for a missing file and for a pair
 * that does not match, so the pair is tried in a scratch context first.
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

#endif
