/*-------------------------------------------------------------------------
 *
 * vectors.h
 *	  A case of a file of test vectors, and what our rooms say of it.
 *
 * file.c reads the file, run.c compares; a function per kind (run.c has the
 * list) lets the pure rooms judge.  Where they end, it plays the database with
 * the rows and users of the case.  input.c hands out members of a case.
 *
 * What cannot be judged (an unknown member, a key that is not in the file) is
 * noted in the case by case_error and makes it fail: nothing is passed over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_VECTORS_H
#define USHER_VECTORS_H

#include <jansson.h>

#include "common.h"
#include "credentials.h"
#include "crypto.h"
#include "django_session.h"

/* ---- a file ---- */

/* A file that has cases; NULL, and why in error.  The caller's to decref. */
json_t *vectors_read(const char *path, char *error, size_t error_cap);

/* ---- a case ---- */

typedef struct Case
{
	json_t	   *file; /* the whole of it */
	const char *kind;
	const char *name;
	json_t	   *input;
	int64_t		now_us;		/* Unix time in microseconds */
	char		error[256]; /* why it cannot be judged; "" */
	void	   *blocks;		/* what case_alloc handed out */
} Case;

typedef struct Verdict
{
	bool		valid;
	const char *reason; /* unless valid; static */
	const char *answer; /* the member of expect that text is compared with */
	Slice		text;	/* only when valid; ptr NULL: none */
	int			http_status; /* 0: this kind has none */
	const char *detail;		 /* NULL: this kind has none */
	Slice		credential;	 /* found in a header; ptr NULL: none */
} Verdict;

/* Why a case cannot be judged; the first reason stays. */
void case_error(Case *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* Memory of exactly len bytes that lives as long as the case, so that
 * AddressSanitizer sees a read beyond it. */
void *case_alloc(Case *c, size_t len);
Slice case_copy(Case *c, const void *bytes, size_t len);

/* The same with a NUL behind. */
char *case_text(Case *c, Slice slice);

/* The text of a hash, in lower-case hexadecimal digits. */
Slice case_hex(Case *c, const uint8_t *bytes, size_t len);

void verdict_accept(Verdict *v, const char *answer, Slice text);
void verdict_refuse(Verdict *v, const char *reason);

/* ---- members ---- */

/* Error unless every member of object is one of names (NULL-terminated);
 * where says what the object is. */
void check_members(Case *c, json_t *object, const char *where,
				   const char *const *names);

/* A string; ptr NULL when absent or null. */
Slice optional_text(Case *c, json_t *object, const char *name);

/* A string; absent, null and anything else are errors. */
Slice required_text(Case *c, json_t *object, const char *name);

/* The text, NUL-terminated; otherwise as written where it is absent.  null is
 * NULL: switched off. */
const char *text_or(Case *c, json_t *object, const char *name,
					const char *otherwise);
bool		bool_or(Case *c, json_t *object, const char *name, bool otherwise);
int64_t		integer_or(Case *c, json_t *object, const char *name,
					   int64_t otherwise);

/* The words of a list of strings, or of one string: NUL-terminated, *count of
 * them.  Absent and null are none. */
const char *const *words_of(Case *c, json_t *object, const char *name,
							size_t *count);

/* Unix time in microseconds, of ISO 8601 text or a number of seconds. */
bool parse_time(json_t *value, int64_t *time_us);

/* Unhex what a member or a key holds. */
Slice unhex(Case *c, const char *hex);

/* Bytes of a header: header_hex decides; else header, in Latin-1 as Channels
 * and WSGI have it, or UTF-8 where that cannot hold it.  ptr NULL: no header.
 */
Slice header_of(Case *c);

/* A key of the file by its name. */
CryptoPart key_of(Case *c, const char *name);

/* SECRET_KEY and its fallbacks by the members secret_key and fallbacks. */
DjangoSecretKeys secret_keys_of(Case *c);

/* md5, sha1, sha256 and so on. */
CryptoHash hash_of(Case *c, json_t *object, const char *name,
				   const char *otherwise);

/* ---- users ---- */

typedef struct User
{
	const char *id;
	Slice		password;
	bool		is_active;
} User;

/*
 * user_by_id, user_by_member
 *		The row of the user table, by its key or by another column's text.
 *
 * All ids being integers, the key is a bigint; all being UUIDs, a uuid; else
 * a text.  Returns NULL, or why there is none: bad_user_id, unknown_user.
 */
const char *user_by_id(Case *c, Slice id, User *user);
const char *user_by_member(Case *c, const char *member, Slice value,
						   User *user);

/* ---- kinds ---- */

/* The credential of an Authorization header under such keywords. */
const Credential *find_in_header(Case *c, const char *keywords, Verdict *v);

typedef void (*Judge)(Case *c, Verdict *v);

void judge_primitive(Case *c, Verdict *v);
void judge_session_auth_hash(Case *c, Verdict *v);
void judge_session(Case *c, Verdict *v);
void judge_signed_cookie_session(Case *c, Verdict *v);
void judge_authtoken(Case *c, Verdict *v);
void judge_jwt(Case *c, Verdict *v);
void judge_jwt_header(Case *c, Verdict *v);
void judge_knox(Case *c, Verdict *v);
void judge_origin(Case *c, Verdict *v);
void judge_cookie(Case *c, Verdict *v);
void judge_group_name(Case *c, Verdict *v);

#endif
