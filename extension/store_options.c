/*-------------------------------------------------------------------------
 *
 * store_options.c
 *	  What set_session_options, set_jwt_options and set_knox_options stored.
 *
 * All three tables are read together, into a memory context that takes the
 * former one's place only when nothing went wrong.  Where a table has no row
 * its defaults hold; they stand here, and once more as the defaults of those
 * functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "store.h"
#include "store_spi.h"

static const char *const default_backends[] = {
	"django.contrib.auth.backends.ModelBackend"};
static const char *const default_types[] = {"access"};

static const UsherOptions defaults = {
	.session = {.decode = {.store_class = "SessionStore",
						   .accept_pre_3_1 = false},
				.backends = default_backends,
				.nbackends = lengthof(default_backends),
				.signed_cookies = false,
				.cookie_age_s = 1209600}, /* two weeks, as Django's */
	.jwt = {.flavor = JWT_SIMPLEJWT,
			.user_claim = "user_id",
			.type_claim = "token_type",
			.types = default_types,
			.ntypes = lengthof(default_types),
			.jti_claim = "jti"},
	.jwt_check_user_is_active = true,
	.knox_hash = CRYPTO_SHA512,
};

static UsherOptions	 options;
static uint64		 options_generation = 0; /* 0: not loaded */
static MemoryContext options_context = NULL; /* of the strings in it */

/* ---- columns of a row that is there ---- */

static char *
utf8_of(char *string)
{
	return pg_server_to_any(string, strlen(string), PG_UTF8);
}

/* NULL for null. */
static const char *
text_column(int column, MemoryContext context)
{
	char *string = store_copy_text(0, column, CurrentMemoryContext);

	return string == NULL ? NULL
						  : MemoryContextStrdup(context, utf8_of(string));
}

static const char *const *
texts_column(int column, size_t *count, MemoryContext context)
{
	bool   isnull;
	Datum  value = store_column(0, column, &isnull);
	Datum *elements;
	int	   nelements;
	char **texts;

	/* The table's constraints promise neither null nor null elements. */
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, NULL, &nelements);
	texts = MemoryContextAlloc(context, Max(nelements, 1) * sizeof *texts);
	for (int i = 0; i < nelements; i++)
		texts[i] = MemoryContextStrdup(
			context, utf8_of(TextDatumGetCString(elements[i])));
	*count = (size_t) nelements;
	return (const char *const *) texts;
}

static bool
boolean_column(int column)
{
	bool isnull;

	return DatumGetBool(store_column(0, column, &isnull));
}

static int
integer_column(int column)
{
	bool isnull;

	return DatumGetInt32(store_column(0, column, &isnull));
}

/* ---- tables ---- */

/* Whether the table has its row, which is then SPI's current result. */
static bool
read_row(SPIPlanPtr *slot, const char *sql)
{
	if (store_execute_latest(store_prepared(slot, sql, 0, NULL), NULL, NULL,
							 1) < 0)
		elog(ERROR, "could not read the options");
	return SPI_processed == 1;
}

static void
load_session(SessionOptions *session, MemoryContext context)
{
	static SPIPlanPtr plan = NULL;

	if (!read_row(&plan, "SELECT backends, store_class, accept_pre_3_1,"
						 " signed_cookies, cookie_age_s"
						 " FROM usher.session_options"))
		return;
	session->backends = texts_column(1, &session->nbackends, context);
	session->decode.store_class = text_column(2, context);
	session->decode.accept_pre_3_1 = boolean_column(3);
	session->signed_cookies = boolean_column(4);
	session->cookie_age_s = integer_column(5);
}

static void
load_jwt(UsherOptions *loaded, MemoryContext context)
{
	static SPIPlanPtr plan = NULL;
	JwtOptions		 *jwt = &loaded->jwt;
	bool			  revokes;
	char			 *flavor;

	if (!read_row(&plan,
				  "SELECT flavor, audience, issuer, leeway_s, user_id_claim,"
				  " token_type_claim, token_types, jti_claim,"
				  " check_revoke_token, revoke_token_claim,"
				  " check_user_is_active"
				  " FROM usher.jwt_options"))
		return;
	flavor = store_copy_text(0, 1, CurrentMemoryContext);
	jwt->flavor = strcmp(flavor, "drf-jwt") == 0 ? JWT_DRF_JWT : JWT_SIMPLEJWT;
	jwt->audience = text_column(2, context);
	jwt->issuer = text_column(3, context);
	jwt->leeway_s = integer_column(4);
	jwt->user_claim = text_column(5, context);
	jwt->type_claim = text_column(6, context);
	jwt->types = texts_column(7, &jwt->ntypes, context);
	jwt->jti_claim = text_column(8, context);
	revokes = boolean_column(9);
	jwt->revoke_claim = revokes ? text_column(10, context) : NULL;
	loaded->jwt_check_user_is_active = boolean_column(11);

	if (jwt->flavor == JWT_DRF_JWT)
	{
		jwt->type_claim = NULL;
		jwt->jti_claim = NULL;
		jwt->revoke_claim = NULL;
	}
}

static CryptoHash
knox_hash_of(const char *word)
{
	static const struct
	{
		const char *word;
		CryptoHash	hash;
	} words[] = {
		{"sha512", CRYPTO_SHA512},	   {"sha384", CRYPTO_SHA384},
		{"sha256", CRYPTO_SHA256},	   {"sha3_512", CRYPTO_SHA3_512},
		{"sha3_256", CRYPTO_SHA3_256},
	};

	for (size_t i = 0; i < lengthof(words); i++)
	{
		if (strcmp(words[i].word, word) == 0)
			return words[i].hash;
	}
	elog(ERROR, "table \"usher.knox_options\" names no hash we know");
	return CRYPTO_SHA512; /* not reached: keeps the compiler quiet */
}

static void
load_knox(CryptoHash *hash)
{
	static SPIPlanPtr plan = NULL;

	if (read_row(&plan, "SELECT secure_hash_algorithm FROM usher.knox_options"))
		*hash = knox_hash_of(store_copy_text(0, 1, CurrentMemoryContext));
}

const UsherOptions *
store_options(void)
{
	uint64		  now = store_generation();
	MemoryContext context;
	UsherOptions  loaded;

	if (options_generation == now)
		return &options;

	/* A child of the caller's: an error takes it along. */
	context = AllocSetContextCreate(CurrentMemoryContext, "usher options",
									ALLOCSET_SMALL_SIZES);
	loaded = defaults;
	store_connect();
	load_session(&loaded.session, context);
	load_jwt(&loaded, context);
	load_knox(&loaded.knox_hash);
	SPI_finish();

	if (options_context != NULL)
		MemoryContextDelete(options_context);
	MemoryContextSetParent(context, CacheMemoryContext);
	options_context = context;
	options = loaded;
	options_generation = now;
	return &options;
}
