/*-------------------------------------------------------------------------
 *
 * store_spi.h
 *	  How the rooms store*.c run their plans, and what they know of the site's
 *	  tables; no other room includes this.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_STORE_SPI_H
#define USHER_STORE_SPI_H

#include "executor/spi.h"
#include "lib/stringinfo.h"

#include "store.h"
#include "store_probe.h"

/* SPI_connect; SPI_finish undoes it. */
extern void store_connect(void);

/*
 * store_prepared
 *		*slot, prepared for the life of the backend if it was not yet.
 */
extern SPIPlanPtr store_prepared(SPIPlanPtr *slot, const char *sql, int nargs,
								 Oid *types);

/* SPI_execute_plan that raises instead of returning an error. */
extern void store_execute(SPIPlanPtr plan, Datum *values, const char *nulls,
						  bool read_only, long limit);

/*
 * store_change_rows
 *		Run a statement on our own tables, from SPI_connect to SPI_finish;
 *		returns how many rows it changed.
 */
extern uint64 store_change_rows(SPIPlanPtr *slot, const char *sql, int nargs,
								Oid *types, Datum *values, const char *nulls);

/* A text column of a result row as a string in context, or NULL. */
extern char *store_copy_text(int row, int column, MemoryContext context);

/* A column of a result row, which lives until SPI_finish. */
extern Datum store_column(int row, int column, bool *isnull);

/* ---- the site's tables: store_django.c ---- */

/* What a key is, as usher.django spells it. */
typedef enum StoreKeyType
{
	STORE_KEY_SMALLINT,
	STORE_KEY_INTEGER,
	STORE_KEY_BIGINT,
	STORE_KEY_UUID,
	STORE_KEY_TEXT,
	STORE_KEY_OTHER /* compared by its text output */
} StoreKeyType;

/*
 * The row of usher.django.  Names are quoted, tables are qualified; of what
 * may be missing the name is NULL.
 */
typedef struct StoreMapping
{
	/* Differs between any two mappings: plans are of one. */
	uint64		 serial;
	bool		 attached; /* else all below is nothing */
	StoreKeyType key_type;
	StoreKeyType jwt_user_type; /* of jwt_user_column */
	KnoxFormat	 knox_layout;
	char		*user_key_type; /* these three as text */
	char		*jwt_user_key_type;
	char		*knox_format;
	char		*user_table;
	char		*user_key;
	char		*username_column; /* may be missing, as all that follow */
	char		*active_column;
	char		*password_column;
	char		*token_table; /* then so are the next two */
	char		*token_key;
	char		*token_user;
	char		*session_table;
	char		*knox_table; /* then so is the next */
	char		*knox_expiry;
	char		*jwt_user_column;
	char		*blacklist_table; /* then so is the next */
	char		*outstanding_table;
	char		*drf_blacklist_table;
} StoreMapping;

/* The current mapping; good until the next call. */
extern const StoreMapping *store_mapping(void);

/*
 * store_key_param
 *		The text of a key as a parameter of type store_key_param_type().
 *
 * False: no such key can exist.
 */
extern Oid	store_key_param_type(StoreKeyType type);
extern bool store_key_param(StoreKeyType type, const char *key, Datum *value);

/* "::pg_catalog.text" where a key must be compared as text, else "". */
extern const char *store_key_cast(StoreKeyType type);

/*
 * store_append_user_columns
 *		Begin a SELECT from user table u with what store_read_user() expects:
 *		STORE_USER_COLUMNS columns, the password being NULL unless asked for.
 */
#define STORE_USER_COLUMNS 4
extern void store_append_user_columns(StringInfo sql, const StoreMapping *map,
									  bool with_password);

/* Reads the user's columns of a row; STORE_FOUND or STORE_BAD_ID. */
extern StoreStatus store_read_user(int row, StoreUser *user,
								   MemoryContext context);

#endif /* USHER_STORE_SPI_H */
