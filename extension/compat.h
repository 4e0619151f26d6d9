/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The only tests of PG_VERSION_NUM: PostgreSQL 14 to 18 from one source.
 *
 * Include it after postgres.h and fmgr.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_COMPAT_H
#define USHER_COMPAT_H

#include "utils/guc.h"

#if PG_VERSION_NUM < 140000
#error "usher needs PostgreSQL 14 or later"
#endif

/* 18 can say in pg_get_loaded_modules() which module and version this is. */
#if PG_VERSION_NUM >= 180000
#define USHER_MODULE_MAGIC(module_version)                                     \
	PG_MODULE_MAGIC_EXT(.name = "usher", .version = module_version)
#else
#define USHER_MODULE_MAGIC(module_version) PG_MODULE_MAGIC
#endif

/* 17 put the two parts of a virtual transaction id together. */
#if PG_VERSION_NUM >= 170000
#define USHER_LOCAL_XID(proc) ((proc)->vxid.lxid)
#else
#define USHER_LOCAL_XID(proc) ((proc)->lxid)
#endif

/* From 15 on shared memory is asked for in a hook. */
#define USHER_HAS_SHMEM_REQUEST_HOOK (PG_VERSION_NUM >= 150000)

/* 15 renamed the call that makes a misspelt usher.* setting an error. */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

#endif /* USHER_COMPAT_H */
