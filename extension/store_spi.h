/*-------------------------------------------------------------------------
 *
 * store_spi.h
 *	  How store.c, store_django.c and store_session.c run their plans; no
 *	  other room includes this.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_STORE_SPI_H
#define USHER_STORE_SPI_H

#include "executor/spi.h"

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

#endif /* USHER_STORE_SPI_H */
