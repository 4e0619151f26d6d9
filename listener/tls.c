/*-------------------------------------------------------------------------
 *
 * tls.c
 *	  A certificate and its key: do they belong together, and into use.
 *
 *-------------------------------------------------------------------------
 */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <stdio.h>

/* OpenSSL compares a key with the certificate as soon as it has read both. */
static const char *
why_key_failed(void)
{
	unsigned long error = ERR_peek_last_error();

	if (ERR_GET_LIB(error) == ERR_LIB_X509 &&
		(ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH ||
		 ERR_GET_REASON(error) == X509_R_KEY_TYPE_MISMATCH))
		return "tls_key does not belong to tls_certificate";
	return "tls_key cannot be read as a PEM private key";
}

bool
tls_use_pair(SSL_CTX *context, const char *certificate, const char *key,
			 char *error, size_t error_cap)
{
	const char *what = NULL;

	ERR_clear_error();
	if (context == NULL)
		what = "TLS cannot be set up";
	else if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		what = "tls_certificate cannot be read as a PEM certificate chain";
	else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		what = why_key_failed();
	else if (SSL_CTX_check_private_key(context) != 1)
		what = "tls_key does not belong to tls_certificate";
	if (what != NULL)
	{
		const char *reason = ERR_reason_error_string(ERR_peek_last_error());

		snprintf(error, error_cap, "%s (%s)", what,
				 reason ? reason : "no further reason");
	}
	ERR_clear_error();
	return what == NULL;
}

bool
tls_check_pair(const char *certificate, const char *key, char *error,
			   size_t error_cap)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	bool	 ok = tls_use_pair(context, certificate, key, error, error_cap);

	SSL_CTX_free(context); /* accepts NULL */
	return ok;
}
