/*-------------------------------------------------------------------------
 *
 * store_probe.h
 *	  One row of a table by the value of a column, without a plan; no other
 *	  room than store*.c includes this.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_STORE_PROBE_H
#define USHER_STORE_PROBE_H

#include "access/skey.h"
#include "datatype/timestamp.h"

#define PROBE_MAX_COLUMNS 8

/* What is read of a column; one of another type cannot be probed. */
typedef enum ProbeType
{
	PROBE_TEXT,		   /* text, integer or uuid: as its text, a C string */
	PROBE_BOOL,		   /* boolean */
	PROBE_INT4,		   /* integer */
	PROBE_TIMESTAMPTZ, /* timestamptz */
	PROBE_TEXT_ARRAY,  /* text[], copied */
	PROBE_KEY /* of the type the column has, copied: to look up by it */
} ProbeType;

/* Names are quoted, the table's is qualified.  All is borrowed. */
typedef struct ProbeColumn
{
	const char *name; /* NULL: there is none, and the value is null */
	ProbeType	type;
	Oid			key_type; /* PROBE_KEY: the type it must have */
} ProbeColumn;

typedef struct ProbeQuery
{
	const char		  *table;
	const char		  *key;
	Oid				   key_type; /* of the parameter */
	uint64			   serial;	 /* differs whenever anything here does */
	int				   ncolumns;
	const ProbeColumn *columns;
} ProbeQuery;

/* What was found out about a query; all zero: nothing yet.  Static. */
typedef struct Probe
{
	uint64		generation; /* under which it was resolved; 0: never */
	uint64		serial;		/* of that query */
	Oid			user_id;	/* whose rights were checked */
	bool		usable;
	Oid			table;
	Oid			index;
	ScanKeyData key;						/* all but the argument */
	AttrNumber	attnums[PROBE_MAX_COLUMNS]; /* 0: null */
	Oid			types[PROBE_MAX_COLUMNS];
} Probe;

typedef enum ProbeResult
{
	PROBE_IMPOSSIBLE, /* ask the same by SQL */
	PROBE_ABSENT,
	PROBE_FOUND
} ProbeResult;

/*
 * store_probe
 *		Read the row whose key is this, as the current user, under the active
 *		snapshot.
 *
 * values and nulls have ncolumns elements; what they point to is in the
 * current memory context.  The same as
 *
 *	   SELECT columns FROM table WHERE key OPERATOR(pg_catalog.=) $1
 *
 * or PROBE_IMPOSSIBLE, where only the executor can say: no unique B-tree on
 * that column alone, another type, row level security, inheritance, a missing
 * right or name (SQL then raises the error), and the like.
 */
extern ProbeResult store_probe(Probe *probe, const ProbeQuery *query, Datum key,
							   Datum *values, bool *nulls);

#endif /* USHER_STORE_PROBE_H */
