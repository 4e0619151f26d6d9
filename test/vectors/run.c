/*-------------------------------------------------------------------------
 *
 * run.c
 *	  Test vectors against the pure rooms: run [--verdicts] FILE
 *
 * FILE has the format of vectors.json.  Prints "ok - kind name" or "not ok -
 * kind name: expected ..., got ..." for each case, whatever its level, and
 * "N passed, N failed" last.  With --verdicts a line of JSON per case instead,
 * in the file's order, for the program that asks the same through SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

static const struct
{
	const char *name;
	Judge		judge;
} kinds[] = {
	{"primitive", judge_primitive},
	{"session_auth_hash", judge_session_auth_hash},
	{"session", judge_session},
	{"signed_cookie_session", judge_signed_cookie_session},
	{"authtoken", judge_authtoken},
	{"jwt", judge_jwt},
	{"jwt_header", judge_jwt_header},
	{"knox", judge_knox},
	{"origin", judge_origin},
	{"cookie", judge_cookie},
	{"group_name", judge_group_name},
};

static void
judge(Case *c, Verdict *v)
{
	if (!json_is_object(c->input))
	{
		case_error(c, "the case has no input");
		return;
	}
	for (size_t i = 0; i < lengthof(kinds); i++)
		if (strcmp(kinds[i].name, c->kind) == 0)
		{
			kinds[i].judge(c, v);
			if (c->error[0] == '\0' && !v->valid && v->reason == NULL)
				case_error(c, "refused without a reason");
			return;
		}
	case_error(c, "unknown kind");
}

/* ---- what was expected ---- */

/* Whether an expected value is this text; numbers are as Python prints them. */
static bool
is_text(json_t *expected, Slice text)
{
	char digits[24];

	if (text.ptr == NULL)
		return false;
	if (json_is_integer(expected))
	{
		snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT,
				 json_integer_value(expected));
		return slice_equals(text, digits);
	}
	return json_is_string(expected) &&
		   json_string_length(expected) == text.len &&
		   (text.len == 0 ||
			memcmp(json_string_value(expected), text.ptr, text.len) == 0);
}

static bool
in_list(json_t *list, const char *text)
{
	json_t *element;
	size_t	i;

	json_array_foreach(list, i, element)
	{
		if (is_text(element, (Slice){text, strlen(text)}))
			return true;
	}
	return false;
}

/* Whether the verdict is the expected one; unknown members are errors. */
static bool
is_expected(Case *c, const Verdict *v, json_t *expect)
{
	static const char *const members[] = {
		"valid", "reason", "also_ok", "user_id",	 "output", "hash",
		"token", "value",  "detail",  "http_status", NULL};
	static const char *const answers[] = {"user_id", "output", "hash", "token",
										  "value"};
	json_t					*valid = json_object_get(expect, "valid");
	json_t					*reason = json_object_get(expect, "reason");
	json_t					*status = json_object_get(expect, "http_status");
	json_t					*detail = json_object_get(expect, "detail");
	bool					 same;

	check_members(c, expect, "expect", members);
	if (!json_is_boolean(valid))
		case_error(c, "\"expect\" does not say whether it is valid");
	if (c->error[0] != '\0' || v->valid != json_is_true(valid))
		return false;

	same = true;
	if (v->valid)
		for (size_t i = 0; i < lengthof(answers); i++)
		{
			json_t *answer = json_object_get(expect, answers[i]);

			if (answer == NULL || json_is_null(answer))
				continue;
			same = same && v->answer != NULL &&
				   strcmp(v->answer, answers[i]) == 0 &&
				   is_text(answer, v->text);
		}
	else if (json_is_string(reason))
		same = is_text(reason, (Slice){v->reason, strlen(v->reason)}) ||
			   in_list(json_object_get(expect, "also_ok"), v->reason);
	if (status != NULL && !json_is_null(status))
		same = same && json_integer_value(status) == v->http_status;
	if (detail != NULL && !json_is_null(detail))
		same = same && v->detail != NULL &&
			   is_text(detail, (Slice){v->detail, strlen(v->detail)});
	return same;
}

/* ---- output ---- */

/* Bytes as JSON would have them in ASCII, so that a line stays a line. */
static void
print_text(Slice text)
{
	for (size_t i = 0; i < text.len; i++)
	{
		unsigned char byte = (unsigned char) text.ptr[i];

		if (byte < 0x20 || byte >= 0x7F || byte == '"' || byte == '\\')
			printf("\\x%02x", byte);
		else
			putchar(byte);
	}
}

static void
print_got(const Case *c, const Verdict *v)
{
	if (c->error[0] != '\0')
		printf("no verdict (%s)", c->error);
	else if (!v->valid)
		printf("refused: %s", v->reason);
	else
	{
		printf("valid");
		if (v->text.ptr != NULL)
		{
			printf(", %s \"", v->answer);
			print_text(v->text);
			putchar('"');
		}
	}
	if (v->http_status != 0)
		printf(", %d \"%s\"", v->http_status, v->detail);
}

/* A hexadecimal string or null. */
static void
print_hex(const char *name, Slice bytes)
{
	printf(", \"%s\": ", name);
	if (bytes.ptr == NULL)
	{
		printf("null");
		return;
	}
	putchar('"');
	for (size_t i = 0; i < bytes.len; i++)
		printf("%02x", (unsigned char) bytes.ptr[i]);
	putchar('"');
}

/* Names of reasons and kinds need no escapes; the rest goes in hexadecimal. */
static void
print_verdict(const Case *c, const Verdict *v)
{
	if (c->error[0] != '\0')
		printf("{\"judged\": false");
	else if (v->valid)
		printf("{\"judged\": true, \"valid\": true, \"reason\": null");
	else
		printf("{\"judged\": true, \"valid\": false, \"reason\": \"%s\"",
			   v->reason);
	print_hex("answer_hex", v->text);
	print_hex("credential_hex", v->credential);
	printf("}\n");
}

static bool
run_case(json_t *file, json_t *vector, bool verdicts)
{
	json_t *expect = json_object_get(vector, "expect");
	json_t *now = json_object_get(vector, "now");
	Case	c = {.file = file};
	Verdict v = {0};
	void   *block;
	bool	good;

	c.kind = json_string_value(json_object_get(vector, "kind"));
	c.name = json_string_value(json_object_get(vector, "name"));
	c.input = json_object_get(vector, "input");
	if (c.kind == NULL || c.name == NULL)
		case_error(&c, "the case has no kind or no name");
	if (!parse_time(now != NULL ? now : json_object_get(file, "now"),
					&c.now_us))
		case_error(&c, "\"now\" is no time");
	if (c.error[0] == '\0')
		judge(&c, &v);

	good = is_expected(&c, &v, expect);
	if (verdicts)
		print_verdict(&c, &v);
	else
	{
		printf("%s - %s %s", good ? "ok" : "not ok", c.kind ? c.kind : "?",
			   c.name ? c.name : "?");
		if (!good)
		{
			char *expected =
				expect != NULL ? json_dumps(expect, JSON_ENSURE_ASCII) : NULL;

			printf(": expected %s, got ", expected ? expected : "nothing");
			print_got(&c, &v);
			free(expected);
		}
		putchar('\n');
	}
	while ((block = c.blocks) != NULL)
	{
		c.blocks = *(void **) block;
		free(block);
	}
	return good;
}

int
main(int argc, char **argv)
{
	bool		verdicts = argc == 3 && strcmp(argv[1], "--verdicts") == 0;
	const char *path = argv[argc - 1];
	char		error[256];
	json_t	   *file;
	json_t	   *vector;
	size_t		i;
	size_t		passed = 0;
	size_t		failed = 0;

	if (argc != 2 && !verdicts)
	{
		fprintf(stderr, "usage: run [--verdicts] FILE\n");
		return 2;
	}
	file = vectors_read(path, error, sizeof(error));
	if (file == NULL)
	{
		printf("not ok - %s can be read: %s\n", path, error);
		printf("0 passed, 1 failed\n");
		return 1;
	}
	json_array_foreach(json_object_get(file, "cases"), i, vector)
	{
		if (run_case(file, vector, verdicts))
			passed++;
		else
			failed++;
	}
	json_decref(file);
	if (verdicts)
		return 0;
	printf("%zu passed, %zu failed\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}
