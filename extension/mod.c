/*-------------------------------------------------------------------------
 *
 * mod.c
 *	  The library's entry: wires the rooms together, decides nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "doorbell.h"
#include "settings.h"

USHER_MODULE_MAGIC("1.0");

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	doorbell_init();
	settings_init();
}
