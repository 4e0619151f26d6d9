/*-------------------------------------------------------------------------
 *
 * secrets.c
 *	  The site's keys: kept per backend, parsed; and changed.
 *
 * The cache is one memory context.  Its reset callback frees OpenSSL's keys
 * and overwrites ours, whoever deletes the context: we, when the table has
 * changed, or PostgreSQL, when an error ends a transaction half way through a
 * load.  A load therefore fills a context of its own, which takes the former
 * one's place only when nothing can fail any more.
 *
 * A change reads all rows, makes the list that is to be, and writes that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "secrets.h"
#include "store.h"
#include "store_secret.h"

/* In its own context, with everything it points at. */
typedef struct SecretsCache
{
	MemoryContext		  context;
	MemoryContextCallback callback;
	Secrets				  secrets;
	uint8				 *bytes; /* of all keys */
	size_t				  nbytes;
	CryptoPublicKey		**public_keys;
	size_t				  npublic_keys;
} SecretsCache;

static SecretsCache *cache = NULL;
static uint64		 cache_generation = 0; /* 0: not loaded */

/* ---- keeping ---- */

/* The context is about to go. */
static void
on_context_reset(void *arg)
{
	SecretsCache *old = arg;

	for (size_t i = 0; i < old->npublic_keys; i++)
		crypto_public_key_destroy(old->public_keys[i]);
	crypto_wipe(old->bytes, old->nbytes);
}

/* Room for what the rows hold; everything that can fail is done here. */
static SecretsCache *
create_cache(MemoryContext context, List *rows)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	SecretsCache *new_cache = palloc0(sizeof *new_cache);
	size_t		  nbytes = 0;
	size_t		  nrows = Max(list_length(rows), 1);
	ListCell	 *cell;

	foreach (cell, rows)
		nbytes += ((StoreSecret *) lfirst(cell))->len;
	new_cache->context = context;
	new_cache->bytes = palloc(Max(nbytes, 1));
	new_cache->nbytes = nbytes;
	new_cache->public_keys = palloc0(nrows * sizeof *new_cache->public_keys);
	new_cache->secrets.django.keys = palloc0(nrows * sizeof(CryptoPart));
	new_cache->secrets.jwt_keys = palloc0(nrows * sizeof(JwtKey));
	new_cache->callback.func = on_context_reset;
	new_cache->callback.arg = new_cache;
	MemoryContextRegisterResetCallback(context, &new_cache->callback);
	MemoryContextSwitchTo(caller);
	return new_cache;
}

/*
 * A JWT key of a row whose value, if any, was copied to value.  False: there
 * is none, for want of a SECRET_KEY.
 */
static bool
make_jwt_key(SecretsCache *new_cache, const StoreSecret *row,
			 const uint8 *value, JwtKey *key)
{
	const DjangoSecretKeys *django = &new_cache->secrets.django;

	memset(key, 0, sizeof *key);
	if (!jwt_algorithm_parse(row->algorithm, &key->algorithm))
		return false;
	if (row->value == NULL)
	{
		if (django->count == 0)
			return false;
		key->secret = django->keys[0].data;
		key->secret_len = django->keys[0].len;
	}
	else if (jwt_algorithm_is_hmac(key->algorithm))
	{
		key->secret = value;
		key->secret_len = row->len;
	}
	else
	{
		CryptoPublicKey *public_key = crypto_public_key_create(value, row->len);

		/* NULL, which is a key that fits nothing, if OpenSSL has changed. */
		new_cache->public_keys[new_cache->npublic_keys++] = public_key;
		key->public_key = public_key;
	}
	return true;
}

/* Raises nothing: the first key that is created has an owner already. */
static void
fill_cache(SecretsCache *new_cache, List *rows)
{
	Secrets	   *secrets = &new_cache->secrets;
	CryptoPart *django_keys = unconstify(CryptoPart *, secrets->django.keys);
	JwtKey	   *jwt_keys = unconstify(JwtKey *, secrets->jwt_keys);
	uint8	   *next = new_cache->bytes;
	ListCell   *cell;

	/* SECRET_KEY stands first in the rows. */
	foreach (cell, rows)
	{
		const StoreSecret *row = lfirst(cell);

		if (row->value != NULL)
			memcpy(next, row->value, row->len);
		switch (row->purpose)
		{
			case STORE_SECRET_KEY:
			case STORE_SECRET_FALLBACK:
				django_keys[secrets->django.count++] =
					(CryptoPart){next, row->len};
				break;
			case STORE_SECRET_JWT:
				if (make_jwt_key(new_cache, row, next,
								 &jwt_keys[secrets->njwt_keys]))
					secrets->njwt_keys++;
				break;
		}
		next += row->len;
	}
}

const Secrets *
secrets_current(void)
{
	uint64		  now = store_generation();
	MemoryContext context;
	SecretsCache *new_cache;
	List		 *rows;

	if (cache_generation == now)
		return &cache->secrets;

	rows = store_secrets_read();
	/* A child of the caller's: an error takes it along. */
	context = AllocSetContextCreate(CurrentMemoryContext, "usher secrets",
									ALLOCSET_SMALL_SIZES);
	new_cache = create_cache(context, rows);
	fill_cache(new_cache, rows);
	store_secrets_wipe(rows);
	list_free_deep(rows);

	MemoryContextSetParent(context, CacheMemoryContext);
	if (cache != NULL)
		MemoryContextDelete(cache->context);
	cache = new_cache;
	cache_generation = now;
	return &cache->secrets;
}

/* ---- changing ---- */

static void
check_size(const CryptoPart *key)
{
	if (key->len == 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("secret key must not be empty"), SECRETS_HIDDEN);
	if (key->len > SECRETS_KEY_MAX_BYTES)
		ereport(
			ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("secret key is larger than %d bytes", SECRETS_KEY_MAX_BYTES),
			SECRETS_HIDDEN);
}

static bool
same_bytes(const uint8 *a, size_t a_len, const uint8 *b, size_t b_len)
{
	return a_len == b_len && crypto_equal(a, b, a_len);
}

/* SECRET_KEY, or NULL; of rows in their order. */
static const StoreSecret *
site_key(List *rows)
{
	const StoreSecret *first = rows == NIL ? NULL : linitial(rows);

	return first != NULL && first->purpose == STORE_SECRET_KEY ? first : NULL;
}

static bool
verifies_sessions(const StoreSecret *row)
{
	return row->purpose != STORE_SECRET_JWT;
}

static bool
has_django_key(List *rows, const uint8 *value, size_t len)
{
	ListCell *cell;

	foreach (cell, rows)
	{
		const StoreSecret *row = lfirst(cell);

		if (verifies_sessions(row) &&
			same_bytes(row->value, row->len, value, len))
			return true;
	}
	return false;
}

/* What a JWT key's row stands for, given the SECRET_KEY (or NULL). */
static const StoreSecret *
jwt_value(const StoreSecret *row, const StoreSecret *secret_key)
{
	return row->value == NULL ? secret_key : row;
}

static bool
has_jwt_key(List *rows, const char *algorithm, const StoreSecret *value)
{
	ListCell *cell;

	foreach (cell, rows)
	{
		const StoreSecret *row = lfirst(cell);
		const StoreSecret *its;

		if (row->purpose != STORE_SECRET_JWT ||
			strcmp(row->algorithm, algorithm) != 0)
			continue;
		its = jwt_value(row, site_key(rows));
		if (its != NULL &&
			same_bytes(its->value, its->len, value->value, value->len))
			return true;
	}
	return false;
}

static SecretsLoss
what_is_lost(List *before, List *after)
{
	SecretsLoss loss = {false, false};
	ListCell   *cell;

	foreach (cell, before)
	{
		const StoreSecret *row = lfirst(cell);

		if (verifies_sessions(row))
			loss.django |= !has_django_key(after, row->value, row->len);
		else
		{
			const StoreSecret *value = jwt_value(row, site_key(before));

			loss.jwt |=
				value != NULL && !has_jwt_key(after, row->algorithm, value);
		}
	}
	return loss;
}

/* Writes the list; both share their rows, so they are wiped once. */
static SecretsLoss
change(List *before, List *after)
{
	SecretsLoss loss = what_is_lost(before, after);

	store_secrets_write(after);
	store_secrets_wipe(list_concat_unique_ptr(list_copy(before), after));
	return loss;
}

static StoreSecret *
make_row(StoreSecretPurpose purpose, const CryptoPart *key)
{
	StoreSecret *row = palloc0(sizeof *row);

	row->purpose = purpose;
	row->name = "";
	row->created_at = GetCurrentTimestamp();
	if (key != NULL)
	{
		row->len = key->len;
		row->value = palloc(key->len);
		memcpy(row->value, key->data, key->len);
	}
	return row;
}

/* Unless it is there already. */
static List *
append_fallback(List *rows, StoreSecret *fallback)
{
	if (has_django_key(rows, fallback->value, fallback->len))
		return rows;
	if (list_length(rows) > SECRETS_MAX_FALLBACKS)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("there can be at most %d fallbacks of the secret key",
					   SECRETS_MAX_FALLBACKS),
				errhint("Call usher.remove_secret_key_fallbacks() when what "
						"they signed has expired."),
				SECRETS_HIDDEN);
	fallback->purpose = STORE_SECRET_FALLBACK;
	return lappend(rows, fallback);
}

/* Those rows of a list for which wanted() is true. */
static List *
rows_that(List *rows, bool (*wanted)(const StoreSecret *row))
{
	List	 *chosen = NIL;
	ListCell *cell;

	foreach (cell, rows)
	{
		if (wanted(lfirst(cell)))
			chosen = lappend(chosen, lfirst(cell));
	}
	return chosen;
}

static bool
is_for_jwt(const StoreSecret *row)
{
	return row->purpose == STORE_SECRET_JWT;
}

static bool
is_no_fallback(const StoreSecret *row)
{
	return row->purpose != STORE_SECRET_FALLBACK;
}

SecretsLoss
secrets_set(const CryptoPart *keys, size_t nkeys, bool keep_previous)
{
	List	 *before;
	List	 *after;
	ListCell *cell;

	for (size_t i = 0; i < nkeys; i++)
		check_size(&keys[i]);

	before = store_secrets_read_for_change();
	after = list_make1(make_row(STORE_SECRET_KEY, &keys[0]));
	if (keep_previous)
	{
		foreach (cell, before)
		{
			const StoreSecret *row = lfirst(cell);
			StoreSecret		  *kept;

			if (!verifies_sessions(row))
				continue;
			/* A copy: the list before is still to be compared. */
			kept = palloc(sizeof *kept);
			*kept = *row;
			after = append_fallback(after, kept);
		}
	}
	for (size_t i = 1; i < nkeys; i++)
		after =
			append_fallback(after, make_row(STORE_SECRET_FALLBACK, &keys[i]));
	return change(before, list_concat(after, rows_that(before, is_for_jwt)));
}

size_t
secrets_remove_fallbacks(SecretsLoss *loss)
{
	List *before = store_secrets_read_for_change();
	List *after = rows_that(before, is_no_fallback);

	*loss = change(before, after);
	return (size_t) (list_length(before) - list_length(after));
}

bool
secrets_remove(SecretsLoss *loss)
{
	List *before = store_secrets_read_for_change();

	*loss = change(before, rows_that(before, is_for_jwt));
	return site_key(before) != NULL;
}

/* ---- JWT keys ---- */

static void
check_name(const char *name)
{
	size_t len = strlen(name);

	/* A name can be seen, so what cannot be one is not repeated. */
	if (len == 0 || len > SECRETS_NAME_MAX ||
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789._-") != len)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid name of a JWT key"),
				errdetail("A name has 1 to %d letters, digits, periods, "
						  "underscores and hyphens.",
						  SECRETS_NAME_MAX),
				SECRETS_HIDDEN);
}

static void
check_jwt_key(JwtAlgorithm algorithm, const CryptoPart *part)
{
	JwtKey			 key = {.algorithm = algorithm};
	CryptoPublicKey *public_key = NULL;
	bool			 readable = true;
	const char		*why_not;

	if (jwt_algorithm_is_hmac(algorithm))
	{
		key.secret = part->data;
		key.secret_len = part->len;
	}
	else
	{
		public_key = crypto_public_key_create(part->data, part->len);
		readable = public_key != NULL;
		key.public_key = public_key;
	}
	why_not = readable ? jwt_key_check(&key) : NULL;
	crypto_public_key_destroy(public_key);

	if (!readable)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("key for %s is no public key in PEM",
					   jwt_algorithm_name(algorithm)),
				errhint("Give the public key or the certificate, never the "
						"private key."),
				SECRETS_HIDDEN);
	if (why_not != NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("key for %s %s", jwt_algorithm_name(algorithm), why_not),
				SECRETS_HIDDEN);
}

static bool
is_jwt_key_named(const StoreSecret *row, const char *name)
{
	return row->purpose == STORE_SECRET_JWT && strcmp(row->name, name) == 0;
}

static List *
rows_without_jwt(List *rows, const char *name)
{
	List	 *others = NIL;
	ListCell *cell;

	foreach (cell, rows)
	{
		if (!is_jwt_key_named(lfirst(cell), name))
			others = lappend(others, lfirst(cell));
	}
	return others;
}

SecretsLoss
secrets_add_jwt(const char *name, const char *algorithm, const CryptoPart *key)
{
	JwtAlgorithm parsed;
	StoreSecret *row;
	List		*before;
	List		*after;

	check_name(name);
	/* Not repeated either: it may be the key in the wrong place. */
	if (!jwt_algorithm_parse(algorithm, &parsed))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("algorithm of JWT key \"%s\" is not known", name),
				errhint("Give HS256, HS384, HS512, RS256, RS384, RS512, "
						"ES256, ES384 or ES512."),
				SECRETS_HIDDEN);
	if (key != NULL)
	{
		check_size(key);
		check_jwt_key(parsed, key);
	}
	else if (!jwt_algorithm_is_hmac(parsed))
		ereport(
			ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			errmsg("key for %s must not be null", jwt_algorithm_name(parsed)),
			errdetail("Only HS256, HS384 and HS512 can use the site's "
					  "SECRET_KEY."));

	before = store_secrets_read_for_change();
	after = rows_without_jwt(before, name);
	if (list_length(rows_that(after, is_for_jwt)) >= SECRETS_MAX_JWT_KEYS)
		ereport(
			ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("there can be at most %d JWT keys", SECRETS_MAX_JWT_KEYS),
			errhint("Call usher.remove_jwt_key() for those that sign no "
					"more tokens."),
			SECRETS_HIDDEN);
	row = make_row(STORE_SECRET_JWT, key);
	row->name = name;
	row->algorithm = jwt_algorithm_name(parsed);
	return change(before, lappend(after, row));
}

bool
secrets_remove_jwt(const char *name, SecretsLoss *loss)
{
	List *before = store_secrets_read_for_change();
	List *after = rows_without_jwt(before, name);

	*loss = change(before, after);
	return list_length(after) < list_length(before);
}
