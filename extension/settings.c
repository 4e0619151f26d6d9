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

#include "commit_level.h"
#include "compat.h"
#include "doorbell.h"
#include "settings.h"

int settings_session_max_ttl_s = 86400;
int settings_max_payload_bytes = 1024 * 1024;
int settings_doorbell = DOORBELL_NOTIFY;
int settings_on_async_commit = COMMIT_LEVEL_WARN;

static const struct config_enum_entry doorbell_modes[] = {
	{"notify", DOORBELL_NOTIFY, false},
	{"worker", DOORBELL_WORKER, false},
	{"none", DOORBELL_NONE, false},
	{NULL, 0, false},
};

static const struct config_enum_entry commit_level_rules[] = {
	{"warn", COMMIT_LEVEL_WARN, false},
	{"refuse", COMMIT_LEVEL_REFUSE, false},
	{"ignore", COMMIT_LEVEL_IGNORE, false},
	{NULL, 0, false},
};

static bool
check_doorbell(int *value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (*value != DOORBELL_WORKER || doorbell_has_worker())
		return true;
	GUC_check_errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE);
	GUC_check_errmsg("usher.doorbell cannot be worker: usher was not loaded "
					 "when the server started");
	GUC_check_errhint("Add usher to shared_preload_libraries and restart the "
					  "server.");
	return false;
}

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

	DefineCustomEnumVariable(
		"usher.doorbell",
		"How listeners are told that a durable message was committed.", NULL,
		&settings_doorbell, DOORBELL_NOTIFY, doorbell_modes, PGC_SUSET, 0,
		check_doorbell, NULL, NULL);

	DefineCustomEnumVariable(
		"usher.on_async_commit",
		"What publishing to a durable group does when the commit can be lost.",
		NULL, &settings_on_async_commit, COMMIT_LEVEL_WARN, commit_level_rules,
		PGC_SUSET, 0, NULL, NULL, NULL);

	MarkGUCPrefixReserved("usher");
}
