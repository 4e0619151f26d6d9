/*-------------------------------------------------------------------------
 *
 * fuzz_base64url.c
 *	  Properties of both ways to read base64.
 *
 * Bytes survive being written and read; a text that the strict reader accepts
 * is the only one that is written for its bytes, and the lenient one reads
 * the same; none writes more than is promised.
 *
 *-------------------------------------------------------------------------
 */
#include "base64url.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t	 max = BASE64URL_DECODED_MAX(size);
	char	*in = exact_copy(data, size);
	uint8_t *strict = malloc(max > 0 ? max : 1);
	uint8_t *lenient = malloc(max > 0 ? max : 1);
	char	*text = malloc(BASE64URL_ENCODED_LEN(size) + 1);
	size_t	 strict_len;
	size_t	 lenient_len;
	size_t	 text_len;

	MUST(strict != NULL && lenient != NULL && text != NULL);

	/* As a text. */
	if (base64url_decode(in, size, strict, &strict_len))
	{
		MUST(strict_len == max);
		text_len = base64url_encode(strict, strict_len, text);
		MUST(text_len == size && memcmp(text, in, size) == 0);
		MUST(base64_decode_lenient(BASE64_URL_SAFE, in, size, lenient,
								   &lenient_len));
		MUST(lenient_len == strict_len &&
			 memcmp(lenient, strict, strict_len) == 0);
	}
	if (base64_decode_lenient(BASE64_URL_SAFE, in, size, lenient, &lenient_len))
		MUST(lenient_len <= max);
	if (base64_decode_lenient(BASE64_STANDARD, in, size, lenient, &lenient_len))
		MUST(lenient_len <= max);

	/* As bytes. */
	text_len = base64url_encode(data, size, text);
	MUST(text_len == BASE64URL_ENCODED_LEN(size));
	free(strict);
	strict = malloc(size > 0 ? size : 1);
	MUST(strict != NULL);
	MUST(base64url_decode(text, text_len, strict, &strict_len));
	MUST(strict_len == size && (size == 0 || memcmp(strict, data, size) == 0));

	free(text);
	free(lenient);
	free(strict);
	free(in);
	return 0;
}
