/*-------------------------------------------------------------------------
 *
 * fuzz_session.c
 *	  Properties of reading Django's sessions.
 *
 * What is not signed is refused as such, and no secret but the right one
 * opens what is; a session that is read has a terminated user in it, the same
 * with a fallback key in front; one that is not has none.
 *
 * Input: a byte that says what the rest is, the rest.
 *
 *-------------------------------------------------------------------------
 */
#include "base64url.h"
#include "django_session.h"

#include "fuzz.h"

#define NOW 1767225600

/* What is put around the rest. */
typedef enum Around
{
	AROUND_NOTHING,	  /* the rest is session_data */
	AROUND_SIGNED,	  /* segment and stamp; a signature is added */
	AROUND_JSON,	  /* bytes that are encoded and signed */
	AROUND_COMPRESSED /* the same with a dot in front: a zlib stream */
} Around;

static const CryptoPart keys[] = {{"other", 5}, {"secret", 6}};

static char *
sign(Around around, const uint8_t *data, size_t size, const char *salt,
	 size_t *len)
{
	static const char stamp[] = ":1vb66i";
	CryptoPart		  key = keys[1];
	char			 *text = malloc(BASE64URL_ENCODED_LEN(size) + 128);
	char			 *exact;
	size_t			  n = 0;

	MUST(text != NULL);
	switch (around)
	{
		case AROUND_NOTHING:
		case AROUND_SIGNED:
			if (size > 0)
				memcpy(text, data, size);
			n = size;
			break;
		case AROUND_JSON:
		case AROUND_COMPRESSED:
			if (around == AROUND_COMPRESSED)
				text[n++] = '.';
			n += base64url_encode(data, size, text + n);
			memcpy(text + n, stamp, sizeof(stamp) - 1);
			n += sizeof(stamp) - 1;
			break;
	}
	if (around != AROUND_NOTHING)
	{
		char signature[DJANGO_SIGNATURE_MAX + 1];

		MUST(django_signature(CRYPTO_SHA256, salt, &key, text, n, signature));
		text[n++] = ':';
		memcpy(text + n, signature, strlen(signature));
		n += strlen(signature);
	}
	exact = exact_copy(text, n);
	free(text);
	*len = n;
	return exact;
}

static void
check_session(DjangoSessionStatus status, const DjangoSession *session)
{
	MUST(status != DJANGO_SESSION_CRYPTO_ERROR);
	MUST((django_session_reason(status) == NULL) ==
		 (status == DJANGO_SESSION_OK));
	MUST(memchr(session->user_id, '\0', sizeof(session->user_id)) != NULL);
	MUST(memchr(session->backend, '\0', sizeof(session->backend)) != NULL);
	MUST(memchr(session->auth_hash, '\0', sizeof(session->auth_hash)) != NULL);
	if (status != DJANGO_SESSION_OK)
		MUST(session->user_id[0] == '\0' && session->backend[0] == '\0' &&
			 session->auth_hash[0] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const DjangoSecretKeys right = {&keys[1], 1};
	static const DjangoSecretKeys wrong = {&keys[0], 1};
	static const DjangoSecretKeys both = {keys, 2};
	static DjangoSession		  session;
	static DjangoSession		  again;
	DjangoSessionOptions		  options = {"SessionStore", false};
	DjangoSessionStatus			  status;
	Around						  around;
	char						 *text;
	size_t						  len;

	if (size == 0)
		return 0;
	around = (Around) (data[0] & 3);
	options.accept_pre_3_1 = (data[0] & 4) != 0;
	if ((data[0] & 8) != 0)
	{
		text = sign(around, data + 1, size - 1,
					"django.contrib.sessions.backends.signed_cookies", &len);
		status = django_session_decode_cookie(text, len, &right, NOW, 3600,
											  &session);
		check_session(status, &session);
		if (status == DJANGO_SESSION_OK)
			MUST(NOW - session.stamp_s <= 3600);
		if (status == DJANGO_SESSION_EXPIRED)
			MUST(session.stamp_s < NOW - 3600);
		free(text);
		return 0;
	}
	text = sign(around, data + 1, size - 1,
				"django.contrib.sessions.SessionStore", &len);
	status = django_session_decode(text, len, &right, &options, &session);
	check_session(status, &session);
	MUST(status != DJANGO_SESSION_EXPIRED);
	if (around != AROUND_NOTHING)
		MUST(status != DJANGO_SESSION_BAD_SIGNATURE);
	if (status != DJANGO_SESSION_BAD_SIGNATURE && (data[0] & 16) != 0)
	{
		MUST(django_session_decode(text, len, &both, &options, &again) ==
			 status);
		MUST(strcmp(again.user_id, session.user_id) == 0);
		MUST(django_session_decode(text, len, &wrong, &options, &again) ==
			 DJANGO_SESSION_BAD_SIGNATURE);
		check_session(DJANGO_SESSION_BAD_SIGNATURE, &again);
	}
	free(text);
	return 0;
}
