/*-------------------------------------------------------------------------
 *
 * test_crypto.c
 *	  Hashes, MACs, signatures and sealing of the extension.
 *
 * Keys and signatures without a source were made for this file with Python's
 * cryptography 38.
 *
 *-------------------------------------------------------------------------
 */
#include "base64url.h"
#include "check.h"
#include "crypto.h"

#include <openssl/err.h>

static const char *
sha256_hex(const CryptoPart *parts, size_t nparts)
{
	static char hex[CRYPTO_SHA256_HEX + 1];
	uint8_t		hash[CRYPTO_SHA256_BYTES];

	if (!crypto_sha256(parts, nparts, hash))
		return "failed";
	crypto_hex(hash, sizeof(hash), hex);
	return hex;
}

TEST(sha_256_gives_the_examples_of_fips_180)
{
	CryptoPart abc = {"abc", 3};
	CryptoPart two_blocks = {
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56};

	CHECK_STR(
		sha256_hex(&abc, 1),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_STR(
		sha256_hex(&two_blocks, 1),
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	CHECK_STR(
		sha256_hex(NULL, 0),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(parts_are_hashed_as_if_they_were_one)
{
	CryptoPart parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};

	CHECK_STR(
		sha256_hex(parts, 3),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static const char *
hash_hex(CryptoHash hash, const CryptoPart *parts, size_t nparts)
{
	static char hex[2 * CRYPTO_HASH_MAX_BYTES + 1];
	uint8_t		out[CRYPTO_HASH_MAX_BYTES];

	if (!crypto_hash(hash, parts, nparts, out))
		return "failed";
	crypto_hex(out, crypto_hash_bytes(hash), hex);
	return hex;
}

static const char *
hmac_hex(CryptoHash hash, const void *key, size_t key_len, const char *text)
{
	static char hex[2 * CRYPTO_HASH_MAX_BYTES + 1];
	uint8_t		out[CRYPTO_HASH_MAX_BYTES];
	CryptoPart	part = {text, strlen(text)};

	if (!crypto_hmac(hash, key, key_len, &part, 1, out))
		return "failed";
	crypto_hex(out, crypto_hash_bytes(hash), hex);
	return hex;
}

/* RFC 1321 A.5, FIPS 180-2 and FIPS 202 examples, all of "abc" */
TEST(every_hash_gives_its_published_example)
{
	static const struct
	{
		CryptoHash	hash;
		const char *hex;
	} rows[] = {
		{CRYPTO_MD5, "900150983cd24fb0d6963f7d28e17f72"},
		{CRYPTO_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{CRYPTO_SHA256,
		 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{CRYPTO_SHA384,
		 "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
		 "8086072ba1e7cc2358baeca134c825a7"},
		{CRYPTO_SHA512,
		 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{CRYPTO_SHA3_256,
		 "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
		{CRYPTO_SHA3_512,
		 "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
		 "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
	};
	CryptoPart abc[] = {{"a", 1}, {"bc", 2}};

	/* Twice, for the second time works with what the first has kept. */
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++)
	{
		size_t row = i % (sizeof(rows) / sizeof(rows[0]));

		check_at("row %zu", i);
		CHECK_STR(hash_hex(rows[row].hash, abc, 2), rows[row].hex);
	}
}

TEST(hmac_gives_the_examples_of_rfc_4231)
{
	uint8_t first[20];
	uint8_t long_key[131];

	memset(first, 0x0b, sizeof(first));
	memset(long_key, 0xaa, sizeof(long_key));

	CHECK_STR(
		hmac_hex(CRYPTO_SHA256, first, sizeof(first), "Hi There"),
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	CHECK_STR(hmac_hex(CRYPTO_SHA384, first, sizeof(first), "Hi There"),
			  "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
			  "faea9ea9076ede7f4af152e8b2fa9cb6");
	CHECK_STR(
		hmac_hex(CRYPTO_SHA512, first, sizeof(first), "Hi There"),
		"87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
		"daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
	CHECK_STR(
		hmac_hex(CRYPTO_SHA256, "Jefe", 4, "what do ya want for nothing?"),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	CHECK_STR(
		hmac_hex(CRYPTO_SHA256, long_key, sizeof(long_key),
				 "Test Using Larger Than Block-Size Key - Hash Key First"),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	CHECK_STR(
		hmac_hex(CRYPTO_SHA512, long_key, sizeof(long_key),
				 "Test Using Larger Than Block-Size Key - Hash Key First"),
		"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
		"6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
}

/* RFC 2202 section 3, case 2: what Django before 3.1 signs with */
TEST(hmac_works_with_sha_1)
{
	CHECK_STR(hmac_hex(CRYPTO_SHA1, "Jefe", 4, "what do ya want for nothing?"),
			  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST(an_empty_hmac_key_is_not_the_key_before)
{
	/* hmac.new(b"", b"", "sha256") in Python */
	const char *empty =
		"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";

	CHECK(strcmp(hmac_hex(CRYPTO_SHA256, "before", 6, ""), empty) != 0);
	CHECK_STR(hmac_hex(CRYPTO_SHA256, NULL, 0, ""), empty);
	CHECK(strcmp(hmac_hex(CRYPTO_SHA256, "before", 6, ""), empty) != 0);
	CHECK_STR(hmac_hex(CRYPTO_SHA256, "x", 0, ""), empty);
}

/* ---- public keys ---- */

/* RFC 7515 appendix A.2.1 */
static const char rfc7515_rsa[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n"
	"NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n"
	"P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n"
	"9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n"
	"EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n"
	"FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n"
	"oQIDAQAB\n"
	"-----END PUBLIC KEY-----\n";

/* The same key as PKCS#1 */
static const char rfc7515_rsa_pkcs1[] =
	"-----BEGIN RSA PUBLIC KEY-----\n"
	"MIIBCgKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W2\n"
	"6mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMs\n"
	"D1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5\n"
	"z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv\n"
	"b3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8q2et\n"
	"hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQAB\n"
	"-----END RSA PUBLIC KEY-----\n";

/* RFC 7515 appendix A.3.1 */
static const char rfc7515_p256[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
	"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
	"-----END PUBLIC KEY-----\n";

/* RFC 7515 appendix A.4.1 */
static const char rfc7515_p521[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQB6SkFDxJPxrxVx9U5M2Xfne9KsMIs\n"
	"sleY+TTrBOPGuuNwGlenkQ6dgb82MVno68sVXWNJ9L22zPipTFxZx6rBAaQANKZE\n"
	"DjdnUNI3H9G9wsjztx0vTuXqNDLIFcyjFWD+XZOH7HdLVYOGMOXLv1qMvgqR3QBk\n"
	"xpmaH25uZ/rd7eTIyPY=\n"
	"-----END PUBLIC KEY-----\n";

static const char p384[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEBAJUU9XoTFfJvXh+QDhV9SUpGIlJHhHC\n"
	"3eZhWFChj4nRK48lTfsPTA0shAohOz0ao0Yw3+bCMO/Ctex8pQvas/8Kuw0XGEr3\n"
	"l7xhRqTV1RInoTdHk8JNlhTdGShkyGnI\n"
	"-----END PUBLIC KEY-----\n";

/* over "sample" */
static const char p384_signature[] =
	"f6ee8f4e21ac6769fdf82c0e533390e2b5ed3f30ecac8cb655b65f652056ee3b31b5e7cf49"
	"541b8f1f498d19497a28894ab91a88483d458fec5a2e011634f78a0a89c8f82cbd2a962fae"
	"9a68b7f3d40593658bffc024d7b8d9d79bd91c000f40";

static const char p256_certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBBDCBq6ADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAXQwHhcNMjAw\n"
	"MTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAMMQowCAYDVQQDDAF0MFkwEwYHKoZI\n"
	"zj0CAQYIKoZIzj0DAQcDQgAEbXqyPfw9Tw/6eH96EYcZIdbdjpdFc6D5sNKKFDsB\n"
	"aRCgvbaZG65KKUhX4TssCH2OygAb9+4JZDDTf7E1/x7TcDAKBggqhkjOPQQDAgNI\n"
	"ADBFAiEAkPutjZmSnyFlO/xeEAsdjMjbB1qLnUdVaDLXrZ6XL7YCIG1H4X/fSCB4\n"
	"CSOoxhMjeUoSGAmV5QcXa0EBw36E9Z9q\n"
	"-----END CERTIFICATE-----\n";

static const char p256_private_pkcs8[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2Bzce1KHxDo3kjFG\n"
	"JIyku6Perp2L9OY/yu1aXc2FCb+hRANCAARterI9/D1PD/p4f3oRhxkh1t2Ol0Vz\n"
	"oPmw0ooUOwFpEKC9tpkbrkopSFfhOywIfY7KABv37glkMNN/sTX/HtNw\n"
	"-----END PRIVATE KEY-----\n";

static const char p256_private_sec1[] =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"MHcCAQEEINgc3HtSh8Q6N5IxRiSMpLuj3q6di/TmP8rtWl3NhQm/oAoGCCqGSM49\n"
	"AwEHoUQDQgAEbXqyPfw9Tw/6eH96EYcZIdbdjpdFc6D5sNKKFDsBaRCgvbaZG65K\n"
	"KUhX4TssCH2OygAb9+4JZDDTf7E1/x7TcA==\n"
	"-----END EC PRIVATE KEY-----\n";

static const char ed25519[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MCowBQYDK2VwAyEAJdYukiXZQv6Gc0KZViTQ+IY/HLrFuzWTonQv37R5S+M=\n"
	"-----END PUBLIC KEY-----\n";

static const char secp256k1[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEXhOdvVvefaOFXTmIus2ul65E3oC7IRac\n"
	"tgEuJfuFteEvPvaERp3DbRgIJlXkhmABFajSUDEafFn4ujXGzfq1Zg==\n"
	"-----END PUBLIC KEY-----\n";

static const char rsa_pss[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIGdMAsGCSqGSIb3DQEBCgOBjQAwgYkCgYEAmD+XHasB9cpvfXEwJJ3HVHVG41S3\n"
	"5A0hcSrEBb2YqZ4HfYdtHFNwexl4m5pauetCobYS/pRTSKxqE7JaIiWx2hetNvBv\n"
	"DSVXihG3NHkwGnZUo/hSIkOz7mjhAmLRWbL2fthbH5lXctEXgr3xtbW5tBIwHcm4\n"
	"giWieuyF0n/8GoMCAwEAAQ==\n"
	"-----END PUBLIC KEY-----\n";

static const char rsa_1024[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDNgGQBwvdaqiGH3SolKM7vSsiW\n"
	"1Otm7FM6FEbWJpb7PcCvp0DcKlrPSbN+yNzHHYZ43IyiIkxoPK2P6y2JvjwoUO5E\n"
	"qTDOG89JGs+l4bfgWy52znFzbrAk+YIwDNDrrT6WSp7hSDCIbkhO+UoDqXK7j8eX\n"
	"I7u/nqDtLghi/vn+QwIDAQAB\n"
	"-----END PUBLIC KEY-----\n";

static CryptoPublicKey *
key_create(const char *pem)
{
	return crypto_public_key_create(pem, strlen(pem));
}

TEST(public_keys_are_read_with_their_type_and_size)
{
	static const struct
	{
		const char	 *pem;
		CryptoKeyType type;
		int			  bits;
	} rows[] = {
		{rfc7515_rsa, CRYPTO_RSA, 2048},
		{rfc7515_rsa_pkcs1, CRYPTO_RSA, 2048},
		{rsa_1024, CRYPTO_RSA, 1024},
		{rsa_pss, CRYPTO_OTHER_KEY, 1024},
		{rfc7515_p256, CRYPTO_P256, 256},
		{p256_certificate, CRYPTO_P256, 256},
		{p384, CRYPTO_P384, 384},
		{rfc7515_p521, CRYPTO_P521, 521},
		{secp256k1, CRYPTO_OTHER_KEY, 256},
		{ed25519, CRYPTO_OTHER_KEY, 256},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		CryptoPublicKey *key = key_create(rows[i].pem);

		check_at("row %zu", i);
		if (!CHECK(key != NULL))
			continue;
		CHECK_INT(crypto_public_key_type(key), rows[i].type);
		if (rows[i].type != CRYPTO_OTHER_KEY)
			CHECK_INT(crypto_public_key_bits(key), rows[i].bits);
		crypto_public_key_destroy(key);
	}
	crypto_public_key_destroy(NULL);
}

TEST(a_private_key_is_no_public_key)
{
	char both[4096];

	CHECK(key_create(p256_private_pkcs8) == NULL);
	CHECK(key_create(p256_private_sec1) == NULL);
	snprintf(both, sizeof(both), "%s%s", rfc7515_p256, p256_private_pkcs8);
	CHECK(key_create(both) == NULL);
	snprintf(both, sizeof(both), "%s%s", p256_private_pkcs8, rfc7515_p256);
	CHECK(key_create(both) == NULL);
}

TEST(text_around_a_public_key_is_allowed_and_another_key_is_not)
{
	char			 text[4096];
	CryptoPublicKey *key;

	snprintf(text, sizeof(text), "signing key, 2026\r\n%s\nend\n",
			 rfc7515_p256);
	key = key_create(text);
	CHECK(key != NULL);
	crypto_public_key_destroy(key);

	snprintf(text, sizeof(text), "%s%s", rfc7515_p256, p384);
	CHECK(key_create(text) == NULL);
	snprintf(text, sizeof(text), "%s%.40s", rfc7515_p256, p384);
	CHECK(key_create(text) == NULL);
}

TEST(a_damaged_public_key_is_none)
{
	size_t len = strlen(rfc7515_p256);
	char   text[sizeof(rfc7515_p256)];

	CHECK(crypto_public_key_create("", 0) == NULL);
	CHECK(key_create("secret") == NULL);
	CHECK(key_create("-----BEGIN PUBLIC KEY-----\n"
					 "-----END PUBLIC KEY-----\n") == NULL);
	CHECK(key_create("-----BEGIN PUBLIC KEY-----\nAAAA\n"
					 "-----END PUBLIC KEY-----\n") == NULL);
	CHECK(crypto_public_key_create(rfc7515_p256, len - 30) == NULL);

	/* A point that is not on the curve */
	memcpy(text, rfc7515_p256, sizeof(text));
	text[len - 40] = text[len - 40] == 'A' ? 'B' : 'A';
	CHECK(crypto_public_key_create(text, len) == NULL);
}

/* ---- signatures ---- */

#define RFC7515_PAYLOAD                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"         \
	"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

typedef struct Signed
{
	const char *pem;
	CryptoHash	hash;
	const char *message;
	const char *signature; /* base64url */
} Signed;

static const Signed rfc7515[] = {
	{rfc7515_rsa, CRYPTO_SHA256, "eyJhbGciOiJSUzI1NiJ9." RFC7515_PAYLOAD,
	 "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"
	 "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
	 "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
	 "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
	 "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"
	 "p0igcN_IoypGlUPQGe77Rw"},
	{rfc7515_p256, CRYPTO_SHA256, "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD,
	 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
	 "pmWQxfKTUJqPP3-Kg6NU1Q"},
	{rfc7515_p521, CRYPTO_SHA512, "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
	 "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZq"
	 "wqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8Kp"
	 "EHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"},
};

/* Appendices A.2, A.3 and A.4 of RFC 7515 */
TEST(signatures_of_rfc_7515_verify_and_nothing_near_them_does)
{
	for (size_t i = 0; i < sizeof(rfc7515) / sizeof(rfc7515[0]); i++)
	{
		const Signed	*row = &rfc7515[i];
		size_t			 message_len = strlen(row->message);
		CryptoPublicKey *key = key_create(row->pem);
		uint8_t			 signature[260];
		uint8_t			 bad[260];
		size_t			 len;

		check_at("row %zu", i);
		if (!CHECK(key != NULL) ||
			!CHECK(base64url_decode(row->signature, strlen(row->signature),
									signature, &len)))
		{
			crypto_public_key_destroy(key);
			continue;
		}
		CHECK(crypto_verify(key, row->hash, row->message, message_len,
							signature, len));
		CHECK(!crypto_verify(key, row->hash, row->message, message_len - 1,
							 signature, len));
		CHECK(!crypto_verify(key, CRYPTO_SHA384, row->message, message_len,
							 signature, len));
		for (size_t at = 0; at < len; at += 31)
		{
			memcpy(bad, signature, len);
			bad[at] ^= 1;
			CHECK(!crypto_verify(key, row->hash, row->message, message_len, bad,
								 len));
		}

		/* Every length but the right one, also with zeros put in front */
		for (size_t shorter = 0; shorter < len; shorter++)
			CHECK(!crypto_verify(key, row->hash, row->message, message_len,
								 signature, shorter));
		memset(bad, 0, sizeof(bad));
		memcpy(bad + 2, signature, len);
		CHECK(!crypto_verify(key, row->hash, row->message, message_len, bad + 1,
							 len + 1));
		CHECK(!crypto_verify(key, row->hash, row->message, message_len, bad,
							 len + 2));
		memset(bad, 0, sizeof(bad));
		CHECK(!crypto_verify(key, row->hash, row->message, message_len, bad,
							 len));
		crypto_public_key_destroy(key);
	}
}

TEST(a_p_384_signature_verifies_only_as_r_and_s_side_by_side)
{
	CryptoPublicKey *key = key_create(p384);
	uint8_t			 signature[96];
	uint8_t			 der[104] = {0x30, 102, 0x02, 49, 0};

	if (!CHECK(key != NULL))
		return;
	CHECK(crypto_unhex(p384_signature, 192, signature, 96));
	CHECK(crypto_verify(key, CRYPTO_SHA384, "sample", 6, signature, 96));
	CHECK(!crypto_verify(key, CRYPTO_SHA256, "sample", 6, signature, 96));

	memcpy(der + 5, signature, 48);
	der[53] = 0x02;
	der[54] = 49;
	memcpy(der + 56, signature + 48, 48);
	CHECK(!crypto_verify(key, CRYPTO_SHA384, "sample", 6, der, 104));
	crypto_public_key_destroy(key);
}

TEST(a_key_of_another_kind_verifies_nothing)
{
	static const char *const pems[] = {ed25519, secp256k1, rsa_pss};
	uint8_t					 signature[128] = {1};

	for (size_t i = 0; i < sizeof(pems) / sizeof(pems[0]); i++)
	{
		CryptoPublicKey *key = key_create(pems[i]);

		check_at("row %zu", i);
		CHECK(key != NULL && !crypto_verify(key, CRYPTO_SHA256, "x", 1,
											signature, sizeof(signature)));
		CHECK(key != NULL &&
			  !crypto_verify(key, CRYPTO_SHA256, "x", 1, signature, 64));
		crypto_public_key_destroy(key);
	}
}

/* ---- sealing ---- */

/*
 * The known answer is AESSIV(HMAC-SHA-512("secret", "label")) of Python's
 * cryptography: it pins how the key is made.
 */
TEST(a_sealed_text_is_the_same_in_another_implementation)
{
	const char *text = "text to hide";
	uint8_t		sealed[12 + CRYPTO_SEAL_EXTRA];
	char		hex[2 * sizeof(sealed) + 1];

	CHECK(
		crypto_seal("secret", 6, "label", (const uint8_t *) text, 12, sealed));
	crypto_hex(sealed, sizeof(sealed), hex);
	CHECK_STR(hex, "abdff243967cf8d6836a104468fe90612c8ea7dd1333f0eb7a4a41e3");
}

TEST(what_was_sealed_opens_again_whatever_its_length)
{
	uint8_t text[200];
	uint8_t sealed[200 + CRYPTO_SEAL_EXTRA];
	uint8_t opened[200];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t) (i * 7);
	for (size_t len = 1; len <= sizeof(text); len++)
	{
		check_at("%zu bytes", len);
		CHECK(crypto_seal("secret", 6, "label", text, len, sealed));
		CHECK(crypto_open("secret", 6, "label", sealed, len + CRYPTO_SEAL_EXTRA,
						  opened));
		CHECK_BYTES(opened, len, text, len);
	}
	CHECK(!crypto_seal("secret", 6, "label", text, 0, sealed));
}

TEST(a_sealed_text_that_was_touched_does_not_open_and_shows_nothing)
{
	const uint8_t text[] = "0123456789abcdefghij";
	uint8_t		  sealed[sizeof(text) + CRYPTO_SEAL_EXTRA];
	uint8_t		  opened[sizeof(sealed)];
	uint8_t		  zeros[sizeof(text)] = {0};

	CHECK(crypto_seal("secret", 6, "label", text, sizeof(text), sealed));
	for (size_t i = 0; i < sizeof(sealed); i++)
	{
		check_at("byte %zu", i);
		sealed[i] ^= 0x10;
		memset(opened, 0x55, sizeof(opened));
		CHECK(
			!crypto_open("secret", 6, "label", sealed, sizeof(sealed), opened));
		CHECK_BYTES(opened, sizeof(text), zeros, sizeof(text));
		sealed[i] ^= 0x10;
	}
	for (size_t len = 0; len < sizeof(sealed); len++)
		CHECK(!crypto_open("secret", 6, "label", sealed, len, opened));
	CHECK(!crypto_open("secret", 6, "labels", sealed, sizeof(sealed), opened));
	CHECK(!crypto_open("secret", 6, "", sealed, sizeof(sealed), opened));
	CHECK(!crypto_open("secre", 5, "label", sealed, sizeof(sealed), opened));
	CHECK(crypto_open("secret", 6, "label", sealed, sizeof(sealed), opened));
}

TEST(sealing_is_deterministic_and_differs_by_label)
{
	uint8_t one[3 + CRYPTO_SEAL_EXTRA];
	uint8_t two[3 + CRYPTO_SEAL_EXTRA];

	CHECK(crypto_seal("secret", 6, "a", (const uint8_t *) "abc", 3, one));
	CHECK(crypto_seal("secret", 6, "a", (const uint8_t *) "abc", 3, two));
	CHECK(memcmp(one, two, sizeof(one)) == 0);
	CHECK(crypto_seal("secret", 6, "b", (const uint8_t *) "abc", 3, two));
	CHECK(memcmp(one, two, sizeof(one)) != 0);
}

/* ---- manners ---- */

/* The backend's TLS code shares the queue and takes what it finds there. */
TEST(failures_leave_openssl_errors_of_others_and_none_of_their_own)
{
	uint8_t			 bytes[64] = {1};
	uint8_t			 out[64];
	CryptoPublicKey *key = key_create(rfc7515_p256);

	for (int before = 0; before < 2; before++)
	{
		check_at("%d errors before", before);
		ERR_clear_error();
		if (before > 0)
			ERR_raise(ERR_LIB_USER, 42);

		CHECK(key_create("-----BEGIN PUBLIC KEY-----\nAAAA\n"
						 "-----END PUBLIC KEY-----\n") == NULL);
		CHECK(key_create("nothing") == NULL);
		CHECK(key_create(p256_private_sec1) == NULL);
		CHECK(key != NULL &&
			  !crypto_verify(key, CRYPTO_SHA256, "x", 1, bytes, 64));
		CHECK(!crypto_open("secret", 6, "label", bytes, 64, out));

		if (before > 0)
			CHECK_INT(ERR_GET_REASON(ERR_get_error()), 42);
		CHECK_INT(ERR_get_error(), 0);
	}
	crypto_public_key_destroy(key);
}

/* ---- bytes ---- */

TEST(hexadecimal_digits_are_read_back_and_nothing_else_is)
{
	uint8_t bytes[256];
	uint8_t back[256];
	char	hex[513];

	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t) i;
	crypto_hex(bytes, sizeof(bytes), hex);
	CHECK(crypto_unhex(hex, 512, back, sizeof(back)));
	CHECK_BYTES(back, sizeof(back), bytes, sizeof(bytes));

	CHECK(crypto_unhex("0aff", 4, back, 2));
	CHECK(!crypto_unhex("0aFf", 4, back, 2));
	CHECK(!crypto_unhex("0af", 3, back, 2));
	CHECK(!crypto_unhex("0aff0", 5, back, 2));
	CHECK(!crypto_unhex("0ag0", 4, back, 2));
	CHECK(!crypto_unhex("0a\0f", 4, back, 2));
	CHECK(!crypto_unhex("", 0, back, 2));
}

TEST(equality_looks_at_every_byte)
{
	uint8_t a[32] = {0};
	uint8_t b[32] = {0};

	CHECK(crypto_equal(a, b, sizeof(a)));
	for (int i = 0; i < 32; i++)
	{
		b[i] = 1;
		CHECK(!crypto_equal(a, b, sizeof(a)));
		b[i] = 0;
	}
}

TEST(a_wiped_secret_is_gone)
{
	char secret[] = "secret";
	char zeros[sizeof(secret)] = {0};

	crypto_wipe(secret, sizeof(secret));
	CHECK_BYTES(secret, sizeof(secret), zeros, sizeof(zeros));
}

TEST_MAIN()
