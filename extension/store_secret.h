/*-------------------------------------------------------------------------
 *
 * store_secret.h
 *	  The rows of usher.secret; only secrets.c reads or writes them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_STORE_SECRET_H
#define USHER_STORE_SECRET_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef enum StoreSecretPurpose
{
	STORE_SECRET_KEY,
	STORE_SECRET_FALLBACK,
	STORE_SECRET_JWT
} StoreSecretPurpose;

typedef struct StoreSecret
{
	StoreSecretPurpose purpose;
	const char		  *name;	  /* of a JWT key, else "" */
	const char		  *algorithm; /* of a JWT key, else NULL */
	uint8			  *value;	  /* NULL: a JWT key that is the SECRET_KEY */
	size_t			   len;
	int			ordinal; /* of a fallback, from 1; store_secrets_write counts */
	TimestampTz created_at;
} StoreSecret;

/*
 * store_secrets_read
 *		All rows (StoreSecret *): SECRET_KEY, its fallbacks in their order, JWT
 *		keys in the order of their names.
 *
 * Under the newest snapshot, for what is to be cached.
 */
extern List *store_secrets_read(void);

/*
 * store_secrets_read_for_change
 *		The same, and nobody else changes them until this transaction ends.
 */
extern List *store_secrets_read_for_change(void);

/*
 * store_secrets_write
 *		Make these the rows, in the order in which they are read; call after
 *		store_secrets_read_for_change().
 *
 * No value goes through a parameter or a constant of a statement, so that
 * nothing that logs statements and plans can show one.
 */
extern void store_secrets_write(List *secrets);

/*
 * store_secrets_wipe
 *		Overwrite the values of a list that was read.
 */
extern void store_secrets_wipe(List *secrets);

#endif /* USHER_STORE_SECRET_H */
