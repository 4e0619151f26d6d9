/*-------------------------------------------------------------------------
 *
 * crypto.c
 *	  Hashes, MACs, signatures, sealing, comparison and wiping of secrets, by
 *	  OpenSSL's libcrypto.
 *
 * Looking an algorithm up costs OpenSSL 3 several times what hashing a token
 * does.  So digests, HMAC contexts and the cipher are fetched at their first
 * use and kept until the process ends; a process here has one thread.  All
 * else is created and freed inside one function that calls nothing able to
 * ereport.
 *
 * The error queue is shared with the backend's TLS code, which takes what it
 * finds there for its own failure, so it is left as it was found.
 *
 *-------------------------------------------------------------------------
 */
#include "crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

/* AES-256-SIV takes two AES-256 keys (RFC 5297 section 2.2). */
#define SEAL_KEY_BYTES 64

/* A hash; its pointers are NULL until they are first needed. */
typedef struct Digest
{
	const char	*name;
	size_t		 bytes;
	EVP_MD		*md;
	EVP_MD_CTX	*hash;
	EVP_MAC_CTX *hmac; /* holds no key between two calls */
} Digest;

static Digest digests[] = {
	[CRYPTO_MD5] = {"MD5", 16, NULL, NULL, NULL},
	[CRYPTO_SHA1] = {"SHA1", 20, NULL, NULL, NULL},
	[CRYPTO_SHA256] = {"SHA2-256", 32, NULL, NULL, NULL},
	[CRYPTO_SHA384] = {"SHA2-384", 48, NULL, NULL, NULL},
	[CRYPTO_SHA512] = {"SHA2-512", 64, NULL, NULL, NULL},
	[CRYPTO_SHA3_256] = {"SHA3-256", 32, NULL, NULL, NULL},
	[CRYPTO_SHA3_512] = {"SHA3-512", 64, NULL, NULL, NULL},
};

struct CryptoPublicKey
{
	EVP_PKEY	 *pkey; /* owned */
	CryptoKeyType type;
	int			  bits;
};

/* ---- hashes ---- */

size_t
crypto_hash_bytes(CryptoHash hash)
{
	return digests[hash].bytes;
}

static bool
digest_fetch(Digest *digest)
{
	if (digest->md == NULL)
		digest->md = EVP_MD_fetch(NULL, digest->name, NULL);
	if (digest->hash == NULL)
		digest->hash = EVP_MD_CTX_new();
	return digest->md != NULL && digest->hash != NULL;
}

bool
crypto_hash(CryptoHash hash, const CryptoPart *parts, size_t nparts,
			uint8_t out[CRYPTO_HASH_MAX_BYTES])
{
	Digest *digest = &digests[hash];
	bool	ok = false;

	ERR_set_mark();
	if (!digest_fetch(digest) ||
		EVP_DigestInit_ex2(digest->hash, digest->md, NULL) != 1)
		goto done;
	for (size_t i = 0; i < nparts; i++)
	{
		if (EVP_DigestUpdate(digest->hash, parts[i].data, parts[i].len) != 1)
			goto done;
	}
	ok = EVP_DigestFinal_ex(digest->hash, out, NULL) == 1;

done:
	ERR_pop_to_mark();
	return ok;
}

bool
crypto_sha256(const CryptoPart *parts, size_t nparts,
			  uint8_t out[CRYPTO_SHA256_BYTES])
{
	uint8_t hash[CRYPTO_HASH_MAX_BYTES];

	if (!crypto_hash(CRYPTO_SHA256, parts, nparts, hash))
		return false;
	memcpy(out, hash, CRYPTO_SHA256_BYTES);
	return true;
}

/* ---- HMAC ---- */

static EVP_MAC_CTX *
hmac_create(const char *digest_name)
{
	OSSL_PARAM	 params[2];
	EVP_MAC_CTX *ctx = NULL;
	EVP_MAC		*mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	/* OpenSSL takes the name as not const, and only reads it. */
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
												 (char *) digest_name, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (mac != NULL)
		ctx = EVP_MAC_CTX_new(mac);
	if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) != 1)
	{
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_MAC_free(mac); /* ctx has a reference of its own; accepts NULL */
	return ctx;
}

/* A key that was taken back must not live on in a context that is kept. */
static void
hmac_forget_key(Digest *digest)
{
	static const unsigned char nothing[CRYPTO_HASH_MAX_BYTES];

	if (EVP_MAC_init(digest->hmac, nothing, sizeof(nothing), NULL) != 1)
	{
		EVP_MAC_CTX_free(digest->hmac);
		digest->hmac = NULL;
	}
}

bool
crypto_hmac(CryptoHash hash, const void *key, size_t key_len,
			const CryptoPart *parts, size_t nparts,
			uint8_t out[CRYPTO_HASH_MAX_BYTES])
{
	Digest *digest = &digests[hash];
	size_t	len = 0;
	bool	ok = false;

	ERR_set_mark();
	if (digest->hmac == NULL)
		digest->hmac = hmac_create(digest->name);
	if (digest->hmac == NULL)
		goto done;
	/* To OpenSSL a NULL key is the one before; ours may be NULL when empty. */
	if (EVP_MAC_init(digest->hmac, key_len > 0 ? key : "", key_len, NULL) != 1)
		goto forget;
	for (size_t i = 0; i < nparts; i++)
	{
		if (EVP_MAC_update(digest->hmac, parts[i].data, parts[i].len) != 1)
			goto forget;
	}
	ok = EVP_MAC_final(digest->hmac, out, &len, CRYPTO_HASH_MAX_BYTES) == 1 &&
		 len == digest->bytes;

forget:
	hmac_forget_key(digest);
done:
	ERR_pop_to_mark();
	return ok;
}

/* ---- public keys ---- */

/* One kind of PEM block: its label and who reads what is inside. */
static EVP_PKEY *
read_block(const char *label, const unsigned char *der, long len)
{
	const unsigned char *at = der;
	EVP_PKEY			*pkey = NULL;

	if (strcmp(label, PEM_STRING_PUBLIC) == 0)
		pkey = d2i_PUBKEY(NULL, &at, len);
	else if (strcmp(label, PEM_STRING_RSA_PUBLIC) == 0)
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, len);
	else if (strcmp(label, PEM_STRING_X509) == 0)
	{
		X509 *certificate = d2i_X509(NULL, &at, len);

		if (certificate != NULL)
			pkey = X509_get_pubkey(certificate);
		X509_free(certificate);
	}
	if (pkey != NULL && at != der + len)
	{
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	return pkey;
}

/* The key in the next PEM block; *no_block when there is none. */
static EVP_PKEY *
read_pem(BIO *bio, bool *no_block)
{
	EVP_PKEY	  *pkey = NULL;
	char		  *label = NULL;
	char		  *header = NULL;
	unsigned char *der = NULL;
	long		   len = 0;

	*no_block = false;
	if (PEM_read_bio(bio, &label, &header, &der, &len) == 1)
	{
		if (header[0] == '\0') /* else it is encrypted */
			pkey = read_block(label, der, len);
	}
	else
		*no_block =
			ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	OPENSSL_free(label);
	OPENSSL_free(header);
	OPENSSL_clear_free(der, (size_t) len); /* it may be a private key */
	return pkey;
}

static CryptoKeyType
key_type(const EVP_PKEY *pkey)
{
	char   group[32];
	size_t len;

	/* Not RSASSA-PSS: such a key forbids the padding that we check. */
	if (EVP_PKEY_is_a(pkey, "RSA"))
		return CRYPTO_RSA;
	if (!EVP_PKEY_is_a(pkey, "EC") ||
		EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) != 1)
		return CRYPTO_OTHER_KEY;
	if (strcmp(group, SN_X9_62_prime256v1) == 0)
		return CRYPTO_P256;
	if (strcmp(group, SN_secp384r1) == 0)
		return CRYPTO_P384;
	if (strcmp(group, SN_secp521r1) == 0)
		return CRYPTO_P521;
	return CRYPTO_OTHER_KEY;
}

CryptoPublicKey *
crypto_public_key_create(const void *pem, size_t len)
{
	CryptoPublicKey *key = NULL;
	EVP_PKEY		*pkey = NULL;
	EVP_PKEY		*second = NULL;
	BIO				*bio = NULL;
	bool			 no_block = false;

	if (len == 0 || len > INT_MAX)
		return NULL;
	ERR_set_mark();
	bio = BIO_new_mem_buf(pem, (int) len);
	if (bio == NULL)
		goto done;
	pkey = read_pem(bio, &no_block);
	if (pkey == NULL)
		goto done;
	/* A second block would be the private key, or a choice we cannot make. */
	second = read_pem(bio, &no_block);
	if (!no_block)
		goto done;
	key = OPENSSL_zalloc(sizeof(*key));
	if (key == NULL)
		goto done;
	key->pkey = pkey;
	key->type = key_type(pkey);
	key->bits = EVP_PKEY_get_bits(pkey);
	pkey = NULL; /* now the key's */

done:
	EVP_PKEY_free(second);
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	ERR_pop_to_mark();
	return key;
}

void
crypto_public_key_destroy(CryptoPublicKey *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pkey);
	OPENSSL_free(key);
}

CryptoKeyType
crypto_public_key_type(const CryptoPublicKey *key)
{
	return key->type;
}

int
crypto_public_key_bits(const CryptoPublicKey *key)
{
	return key->bits;
}

/* ---- signatures ---- */

/*
 * Of r || s, each order_bytes long, the DER that OpenSSL wants.  Returns its
 * length, or -1; *der is freed by the caller.
 */
static int
ecdsa_to_der(const uint8_t *signature, int order_bytes, unsigned char **der)
{
	int		   len = -1;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM	  *r = BN_bin2bn(signature, order_bytes, NULL);
	BIGNUM	  *s = BN_bin2bn(signature + order_bytes, order_bytes, NULL);

	if (sig != NULL && ECDSA_SIG_set0(sig, r, s) == 1)
	{
		r = NULL; /* now the signature's, both */
		s = NULL;
		len = i2d_ECDSA_SIG(sig, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len;
}

/* Whether a signature over a hash is the key's. */
static bool
verify_hash(const CryptoPublicKey *key, const Digest *digest,
			const uint8_t *hash, const uint8_t *signature, size_t signature_len)
{
	bool		  ok = false;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

	if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1)
		goto done;
	if (key->type == CRYPTO_RSA &&
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)
		goto done;
	if (EVP_PKEY_CTX_set_signature_md(ctx, digest->md) != 1)
		goto done;
	ok = EVP_PKEY_verify(ctx, signature, signature_len, hash, digest->bytes) ==
		 1;

done:
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

bool
crypto_verify(const CryptoPublicKey *key, CryptoHash hash, const void *message,
			  size_t message_len, const uint8_t *signature,
			  size_t signature_len)
{
	CryptoPart	   part = {message, message_len};
	uint8_t		   digest[CRYPTO_HASH_MAX_BYTES];
	unsigned char *der = NULL;
	size_t		   bytes = ((size_t) key->bits + 7) / 8;
	bool		   ok = false;

	ERR_set_mark();
	switch (key->type)
	{
		case CRYPTO_RSA:
			ok = signature_len == bytes &&
				 crypto_hash(hash, &part, 1, digest) &&
				 verify_hash(key, &digests[hash], digest, signature, bytes);
			break;
		case CRYPTO_P256:
		case CRYPTO_P384:
		case CRYPTO_P521:
			if (signature_len == 2 * bytes &&
				crypto_hash(hash, &part, 1, digest))
			{
				int len = ecdsa_to_der(signature, (int) bytes, &der);

				ok = len > 0 && verify_hash(key, &digests[hash], digest, der,
											(size_t) len);
			}
			break;
		case CRYPTO_OTHER_KEY: break;
	}
	OPENSSL_free(der);
	ERR_pop_to_mark();
	return ok;
}

/* ---- sealing ---- */

/* The cipher, set up with the key of a secret and a label; or NULL. */
static EVP_CIPHER_CTX *
siv_create(const void *secret, size_t secret_len, const char *label,
		   bool encrypt)
{
	static EVP_CIPHER *cipher;
	CryptoPart		   part = {label, strlen(label)};
	uint8_t			   key[SEAL_KEY_BYTES];
	EVP_CIPHER_CTX	  *ctx = NULL;

	_Static_assert(SEAL_KEY_BYTES == CRYPTO_HASH_MAX_BYTES,
				   "a SHA-512 makes the whole key");
	if (cipher == NULL)
		cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
	if (cipher != NULL &&
		crypto_hmac(CRYPTO_SHA512, secret, secret_len, &part, 1, key))
		ctx = EVP_CIPHER_CTX_new();
	if (ctx != NULL &&
		EVP_CipherInit_ex2(ctx, cipher, key, NULL, encrypt, NULL) != 1)
	{
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	crypto_wipe(key, sizeof(key));
	return ctx;
}

bool
crypto_seal(const void *secret, size_t secret_len, const char *label,
			const uint8_t *in, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = NULL;
	int				n;
	bool			ok = false;

	if (len == 0 || len > INT_MAX)
		return false;
	ERR_set_mark();
	ctx = siv_create(secret, secret_len, label, true);
	ok = ctx != NULL &&
		 EVP_EncryptUpdate(ctx, out + CRYPTO_SEAL_EXTRA, &n, in, (int) len) ==
			 1 &&
		 EVP_EncryptFinal_ex(ctx, out + CRYPTO_SEAL_EXTRA + n, &n) == 1 &&
		 EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_SEAL_EXTRA,
							 out) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ERR_pop_to_mark();
	return ok;
}

bool
crypto_open(const void *secret, size_t secret_len, const char *label,
			const uint8_t *in, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = NULL;
	uint8_t			tag[CRYPTO_SEAL_EXTRA];
	size_t			text_len;
	int				n;
	bool			ok = false;

	if (len <= CRYPTO_SEAL_EXTRA || len > INT_MAX)
		return false;
	text_len = len - CRYPTO_SEAL_EXTRA;
	memcpy(tag, in, sizeof(tag)); /* OpenSSL takes it as not const */
	ERR_set_mark();
	ctx = siv_create(secret, secret_len, label, false);
	ok = ctx != NULL &&
		 EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) ==
			 1 &&
		 EVP_DecryptUpdate(ctx, out, &n, in + CRYPTO_SEAL_EXTRA,
						   (int) text_len) == 1 &&
		 EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ERR_pop_to_mark();
	if (!ok)
		crypto_wipe(out, text_len); /* nothing of what is not authentic */
	return ok;
}

/* ---- bytes ---- */

bool
crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
crypto_wipe(void *secret, size_t len)
{
	OPENSSL_cleanse(secret, len);
}

void
crypto_hex(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t			  i;

	for (i = 0; i < len; i++)
	{
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * len] = '\0';
}

bool
crypto_unhex(const char *in, size_t in_len, uint8_t *out, size_t len)
{
	size_t i;

	if (in_len != 2 * len)
		return false;
	for (i = 0; i < in_len; i++)
	{
		unsigned v;

		if (in[i] >= '0' && in[i] <= '9')
			v = (unsigned) (in[i] - '0');
		else if (in[i] >= 'a' && in[i] <= 'f')
			v = (unsigned) (in[i] - 'a') + 10;
		else
			return false;
		if (i % 2 == 0)
			out[i / 2] = (uint8_t) (v << 4);
		else
			out[i / 2] |= (uint8_t) v;
	}
	return true;
}
