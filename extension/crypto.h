/*-------------------------------------------------------------------------
 *
 * crypto.h
 *	  Hashes, MACs, signatures, sealing, comparison and wiping of secrets.
 *	  Pure: no postgres.h.
 *
 * crypto.c is the only room of the extension with OpenSSL's headers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CRYPTO_H
#define USHER_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_SHA256_BYTES 32
#define CRYPTO_SHA256_HEX (2 * CRYPTO_SHA256_BYTES)

typedef struct CryptoPart
{
	const void *data;
	size_t		len;
} CryptoPart;

/*
 * crypto_sha256
 *		SHA-256 of the parts one after the other.
 *
 * Returns false only if OpenSSL has no SHA-256 or no memory.
 */
extern bool crypto_sha256(const CryptoPart *parts, size_t nparts,
						  uint8_t out[CRYPTO_SHA256_BYTES]);

/* ---- hashes and MACs by name ---- */

typedef enum CryptoHash
{
	CRYPTO_MD5, /* only ever of what is no secret: CHECK_REVOKE_TOKEN */
	CRYPTO_SHA1,
	CRYPTO_SHA256,
	CRYPTO_SHA384,
	CRYPTO_SHA512,
	CRYPTO_SHA3_256,
	CRYPTO_SHA3_512
} CryptoHash;

#define CRYPTO_HASH_MAX_BYTES 64

/* How many bytes a hash has. */
extern size_t crypto_hash_bytes(CryptoHash hash);

/*
 * crypto_hash
 *		Hash of the parts one after the other: crypto_hash_bytes(hash) bytes.
 *
 * Returns false only if OpenSSL does not offer it or has no memory.
 */
extern bool crypto_hash(CryptoHash hash, const CryptoPart *parts, size_t nparts,
						uint8_t out[CRYPTO_HASH_MAX_BYTES]);

/*
 * crypto_hmac
 *		HMAC of the parts one after the other (RFC 2104), full length.
 *
 * A key of any length, also of none.  OpenSSL's objects are fetched once and
 * kept: a call costs little more than the compressions.
 */
extern bool crypto_hmac(CryptoHash hash, const void *key, size_t key_len,
						const CryptoPart *parts, size_t nparts,
						uint8_t out[CRYPTO_HASH_MAX_BYTES]);

/* ---- public keys ---- */

typedef enum CryptoKeyType
{
	CRYPTO_RSA,
	CRYPTO_P256,
	CRYPTO_P384,
	CRYPTO_P521,
	CRYPTO_OTHER_KEY
} CryptoKeyType;

typedef struct CryptoPublicKey CryptoPublicKey;

/*
 * crypto_public_key_create
 *		Read a public key from PEM: SubjectPublicKeyInfo, PKCS#1 RSA PUBLIC
 *		KEY, or an X.509 certificate, of which only the key is looked at.
 *
 * Returns NULL when it is none of these, damaged, or more than one block; a
 * private key too: it has no business in a database.  Ended by
 * crypto_public_key_destroy, which accepts NULL.
 */
extern CryptoPublicKey *crypto_public_key_create(const void *pem, size_t len);
extern void				crypto_public_key_destroy(CryptoPublicKey *key);
extern CryptoKeyType	crypto_public_key_type(const CryptoPublicKey *key);

/* The modulus of an RSA key or the order of a curve, in bits. */
extern int crypto_public_key_bits(const CryptoPublicKey *key);

/*
 * crypto_verify
 *		Whether signature is the key's over the message.
 *
 * RSA: PKCS#1 v1.5, as long as the modulus (RFC 7518 section 3.3).  Curves:
 * r || s, each as long as the order (RFC 7518 section 3.4), never DER.  A key
 * of another type verifies nothing.
 */
extern bool crypto_verify(const CryptoPublicKey *key, CryptoHash hash,
						  const void *message, size_t message_len,
						  const uint8_t *signature, size_t signature_len);

/* ---- sealing ---- */

/* Bytes by which a sealed text is longer than the text. */
#define CRYPTO_SEAL_EXTRA 16

/*
 * crypto_seal, crypto_open
 *		Authenticated, deterministic encryption (AES-256-SIV, RFC 5297): equal
 *		texts look equal, nothing else shows but their length.
 *
 * secret is hashed into the key; label separates uses.  crypto_seal writes
 * len + CRYPTO_SEAL_EXTRA bytes, crypto_open len - CRYPTO_SEAL_EXTRA.  len of
 * the text is at least 1.  crypto_open returns false for everything that
 * crypto_seal did not write with that secret and label; crypto_seal only if
 * OpenSSL does not offer the cipher or has no memory.
 */
extern bool crypto_seal(const void *secret, size_t secret_len,
						const char *label, const uint8_t *in, size_t len,
						uint8_t *out);
extern bool crypto_open(const void *secret, size_t secret_len,
						const char *label, const uint8_t *in, size_t len,
						uint8_t *out);

/* ---- bytes ---- */

/* Whether the bytes are equal, in time that depends on len alone. */
extern bool crypto_equal(const void *a, const void *b, size_t len);

/* Overwrite a secret in a way the compiler does not remove. */
extern void crypto_wipe(void *secret, size_t len);

/* Write 2 * len lower-case digits and a NUL. */
extern void crypto_hex(const uint8_t *in, size_t len, char *out);

/*
 * crypto_unhex
 *		Read exactly 2 * len lower-case digits, as crypto_hex writes them.
 */
extern bool crypto_unhex(const char *in, size_t in_len, uint8_t *out,
						 size_t len);

#endif /* USHER_CRYPTO_H */
