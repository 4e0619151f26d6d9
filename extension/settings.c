/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  Every GUC of the extension: name, unit, bounds, default.
 *
 * No secret is ever a GUC: until the library is loaded, SHOW prints even one
 * that is marked superuser-only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "compat.h"
#include "settings.h"

int settings_session_max_ttl_s = 86400;
int settings_max_payload_bytes = 1024 * 1024;

void
settings_init(void)
{
	/* The upper bound is ten years, which still fits an int of seconds. */
	DefineCustomIntVariable(
		"usher.session_max_ttl",
		"Longest time for which a session key may be issued.", NULL,
		&settings_session_max_ttl_s, 86400, 1, 315360000, PGC_SUSET, GUC_UNIT_S,
		NULL, NULL, NULL);

	DefineCustomIntVariable(
		"usher.max_payload", "Largest payload of one broadcast.", NULL,
		&settings_max_payload_bytes, 1024 * 1024, 1024, 16 * 1024 * 1024,
		PGC_SUSET, GUC_UNIT_BYTE, NULL, NULL, NULL);

	MarkGUCPrefixReserved("usher");
}
