/*-------------------------------------------------------------------------
 *
 * store_secret.c
 *	  The rows of usher.secret, read and written all together: they are few.
 *
 * auto_explain shows the parameters of nested statements (since PostgreSQL
 * 16) and, with log_verbose, constants that were made of them.  Therefore
 * values are written by a statement that reads them from a tuplestore, which
 * has a name in this SPI connection only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/queryenvironment.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "crypto.h"
#include "role.h"
#include "store.h"
#include "store_secret.h"
#include "store_spi.h"

/* As usher.secret spells them. */
static const char *const purpose_words[] = {
	[STORE_SECRET_KEY] = "secret_key",
	[STORE_SECRET_FALLBACK] = "fallback",
	[STORE_SECRET_JWT] = "jwt",
};

/*
 * The rows are their owner's only, a superuser's: as usher_owner also what the
 * site has put on its own tables is run, a trigger or a policy.  Between this
 * and role_return() nothing is run but our statements on this table.
 */
static FormerRole
become_owner_of_secrets(void)
{
	Oid table = get_relname_relid("secret", get_namespace_oid("usher", false));
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	Oid		  owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "table \"usher.secret\" does not exist");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return role_become(owner);
}

/* ---- reading ---- */

static StoreSecretPurpose
purpose_of(const char *word)
{
	for (int i = 0; i < (int) lengthof(purpose_words); i++)
	{
		if (strcmp(purpose_words[i], word) == 0)
			return (StoreSecretPurpose) i;
	}
	elog(ERROR, "table \"usher.secret\" has a purpose we do not know");
	return STORE_SECRET_KEY; /* not reached: keeps the compiler quiet */
}

/* Not PostgreSQL's work, since a large sort would write values to a file. */
static int
compare_secrets(const ListCell *cell_a, const ListCell *cell_b)
{
	const StoreSecret *a = lfirst(cell_a);
	const StoreSecret *b = lfirst(cell_b);

	if (a->purpose != b->purpose)
		return a->purpose < b->purpose ? -1 : 1;
	if (a->ordinal != b->ordinal)
		return a->ordinal < b->ordinal ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* The rows of SPI's result, copied to a context and wiped where they were. */
static List *
copy_result(MemoryContext context)
{
	List *secrets = NIL;

	for (int row = 0; row < (int) SPI_processed; row++)
	{
		char		 *word = store_copy_text(row, 1, CurrentMemoryContext);
		MemoryContext in_spi = MemoryContextSwitchTo(context);
		StoreSecret	 *secret = palloc0(sizeof *secret);
		Datum		  value;
		bool		  isnull;

		secret->purpose = purpose_of(word);
		secret->name = store_copy_text(row, 2, context);
		secret->algorithm = store_copy_text(row, 3, context);
		secret->created_at = DatumGetTimestampTz(store_column(row, 5, &isnull));
		value = store_column(row, 4, &isnull);
		if (!isnull)
		{
			bytea *bytes = DatumGetByteaPP(value);

			secret->len = VARSIZE_ANY_EXHDR(bytes);
			secret->value = palloc(Max(secret->len, 1));
			memcpy(secret->value, VARDATA_ANY(bytes), secret->len);
			/* SPI's copy of the row, or what was detoasted from it. */
			crypto_wipe(VARDATA_ANY(bytes), secret->len);
		}
		secret->ordinal = DatumGetInt32(store_column(row, 6, &isnull));
		secrets = lappend(secrets, secret);
		MemoryContextSwitchTo(in_spi);
	}
	list_sort(secrets, compare_secrets);
	return secrets;
}

#define READ_SECRETS                                                           \
	"SELECT purpose, name, algorithm, value, created_at, ordinal"              \
	" FROM usher.secret"

List *
store_secrets_read(void)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext	  caller = CurrentMemoryContext;
	FormerRole		  former = become_owner_of_secrets();
	List			 *secrets;

	store_connect();
	if (store_execute_latest(store_prepared(&plan, READ_SECRETS, 0, NULL), NULL,
							 NULL, 0) < 0)
		elog(ERROR, "could not read usher.secret");
	secrets = copy_result(caller);
	SPI_finish();
	role_return(former);
	return secrets;
}

List *
store_secrets_read_for_change(void)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext	  caller = CurrentMemoryContext;
	FormerRole		  former = become_owner_of_secrets();
	List			 *secrets;

	store_connect();
	if (SPI_execute("LOCK TABLE usher.secret IN SHARE ROW EXCLUSIVE MODE",
					false, 0) < 0)
		elog(ERROR, "could not lock usher.secret");
	store_execute(store_prepared(&plan, READ_SECRETS, 0, NULL), NULL, NULL,
				  false, 0);
	secrets = copy_result(caller);
	SPI_finish();
	role_return(former);
	return secrets;
}

void
store_secrets_wipe(List *secrets)
{
	ListCell *cell;

	foreach (cell, secrets)
	{
		StoreSecret *secret = lfirst(cell);

		if (secret->value != NULL)
			crypto_wipe(secret->value, secret->len);
	}
}

/* ---- writing ---- */

enum
{
	COLUMN_PURPOSE,
	COLUMN_NAME,
	COLUMN_ORDINAL,
	COLUMN_ALGORITHM,
	COLUMN_VALUE,
	COLUMN_CREATED_AT,
	NUM_COLUMNS
};

static TupleDesc
row_desc(void)
{
	TupleDesc desc = CreateTemplateTupleDesc(NUM_COLUMNS);

	TupleDescInitEntry(desc, COLUMN_PURPOSE + 1, "purpose", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, COLUMN_NAME + 1, "name", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, COLUMN_ORDINAL + 1, "ordinal", INT4OID, -1, 0);
	TupleDescInitEntry(desc, COLUMN_ALGORITHM + 1, "algorithm", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, COLUMN_VALUE + 1, "value", BYTEAOID, -1, 0);
	TupleDescInitEntry(desc, COLUMN_CREATED_AT + 1, "created_at",
					   TIMESTAMPTZOID, -1, 0);
	return desc;
}

static void
put_row(Tuplestorestate *rows, TupleDesc desc, const StoreSecret *secret)
{
	Datum  values[NUM_COLUMNS];
	bool   nulls[NUM_COLUMNS] = {false};
	bytea *value = NULL;

	values[COLUMN_PURPOSE] =
		CStringGetTextDatum(purpose_words[secret->purpose]);
	values[COLUMN_NAME] = CStringGetTextDatum(secret->name);
	values[COLUMN_ORDINAL] = Int32GetDatum(secret->ordinal);
	nulls[COLUMN_ALGORITHM] = secret->algorithm == NULL;
	values[COLUMN_ALGORITHM] = secret->algorithm == NULL
								   ? (Datum) 0
								   : CStringGetTextDatum(secret->algorithm);
	nulls[COLUMN_VALUE] = secret->value == NULL;
	if (secret->value != NULL)
	{
		value = palloc(VARHDRSZ + secret->len);
		SET_VARSIZE(value, VARHDRSZ + secret->len);
		memcpy(VARDATA(value), secret->value, secret->len);
	}
	values[COLUMN_VALUE] = PointerGetDatum(value);
	values[COLUMN_CREATED_AT] = TimestampTzGetDatum(secret->created_at);
	tuplestore_putvalues(rows, desc, values, nulls);
	if (value != NULL)
		crypto_wipe(VARDATA(value), secret->len);
}

void
store_secrets_write(List *secrets)
{
	static SPIPlanPtr		   delete_plan = NULL;
	EphemeralNamedRelationData relation = {0};
	Tuplestorestate			  *rows;
	TupleDesc				   desc;
	ListCell				  *cell;
	int						   nfallbacks = 0;
	FormerRole				   former = become_owner_of_secrets();

	store_connect();
	store_execute(
		store_prepared(&delete_plan, "DELETE FROM usher.secret", 0, NULL), NULL,
		NULL, false, 0);

	/* In memory whatever it takes, and so never in a temporary file. */
	rows = tuplestore_begin_heap(false, false, MAX_KILOBYTES);
	desc = row_desc();
	foreach (cell, secrets)
	{
		StoreSecret *secret = lfirst(cell);

		secret->ordinal =
			secret->purpose == STORE_SECRET_FALLBACK ? ++nfallbacks : 0;
		put_row(rows, desc, secret);
	}

	relation.md.name = pstrdup("new_secret");
	relation.md.tupdesc = desc;
	relation.md.enrtype = ENR_NAMED_TUPLESTORE;
	relation.md.enrtuples = (double) list_length(secrets);
	relation.reldata = rows;
	if (SPI_register_relation(&relation) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not name the rows to be stored");
	if (SPI_execute("INSERT INTO usher.secret"
					" (purpose, name, ordinal, algorithm, value, created_at)"
					" SELECT purpose, name, ordinal, algorithm, value,"
					" created_at FROM new_secret",
					false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not store keys");
	SPI_finish();
	role_return(former);
}
