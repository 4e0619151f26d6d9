/*-------------------------------------------------------------------------
 *
 * hashing.h
 *	  How the listener uses uthash, and the hash it gives it.
 *
 * Most keys come from outside (group names, user ids, addresses), so the hash
 * is keyed with random bytes: nobody can choose names that share a bucket.
 * uthash's own functions are not keyed, so tables are used through its
 * ..._BYHASHVALUE macros with hash_bytes().  Out of memory leaves the element
 * out, with hh.tbl NULL, instead of ending the process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_HASHING_H
#define USHER_HASHING_H

#ifdef UTHASH_H
#error "include hashing.h instead of uthash.h"
#endif
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "common.h"

typedef struct HashSeed
{
	uint64_t k0;
	uint64_t k1;
} HashSeed;

/* The kernel's random bytes; one seed a table or one for many, as you like. */
HashSeed hash_seed(void);

/*
 * hash_bytes
 *		SipHash-1-3, the upper half folded into the lower.
 *
 * Spec: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.  One
 * and three rounds are what Rust and Python use for their tables.
 */
unsigned hash_bytes(HashSeed seed, const void *bytes, size_t len);

#endif
