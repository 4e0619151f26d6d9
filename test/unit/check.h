/*-------------------------------------------------------------------------
 *
 * check.h
 *	  The whole of our unit test framework.
 *
 * A test is TEST(name_as_a_sentence) { ... }; it registers itself before
 * main() runs.  Each CHECK is an expression that is true when the check held,
 * so `if (!CHECK(ptr != NULL)) return;` guards what follows; a check that
 * fails does not end the test by itself, and the first one that failed is what
 *is printed. Table-driven tests say which row they are at with check_at().
 *
 *-------------------------------------------------------------------------
 */
#ifndef USHER_CHECK_H
#define USHER_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct CheckTest
{
	const char *name;
	void (*run)(void);
	struct CheckTest *next;
} CheckTest;

static CheckTest  *check_tests;
static CheckTest **check_tests_end = &check_tests;
static bool		   check_failed;
static char		   check_row[128];
static char		   check_what[768];

/* Name the row of a table that the following checks belong to. */
__attribute__((format(printf, 1, 2), unused)) static void
check_at(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(check_row, sizeof(check_row), format, args);
	va_end(args);
}

__attribute__((format(printf, 4, 5), unused)) static bool
check_report(bool held, const char *file, int line, const char *format, ...)
{
	va_list args;
	int		used;

	if (held || check_failed)
		return held;
	check_failed = true;
	used = snprintf(check_what, sizeof(check_what), "%s:%d: %s%s", file, line,
					check_row, check_row[0] != '\0' ? ": " : "");
	va_start(args, format);
	if (used > 0 && (size_t) used < sizeof(check_what))
		vsnprintf(check_what + used, sizeof(check_what) - (size_t) used, format,
				  args);
	va_end(args);
	return false;
}

__attribute__((unused)) static bool
check_int(long long a, long long b, const char *file, int line,
		  const char *what)
{
	return check_report(a == b, file, line, "%s is %lld, not %lld", what, a, b);
}

__attribute__((unused)) static bool
check_str(const char *a, const char *b, const char *file, int line,
		  const char *what)
{
	bool same = a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);

	return check_report(same, file, line, "%s is \"%s\", not \"%s\"", what,
						a != NULL ? a : "(null)", b != NULL ? b : "(null)");
}

__attribute__((unused)) static bool
check_bytes(const void *a, size_t a_len, const void *b, size_t b_len,
			const char *file, int line, const char *what)
{
	bool same = a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);

	return check_report(
		same, file, line, "%s is %zu bytes \"%.*s\", not %zu bytes \"%.*s\"",
		what, a_len, a_len < 99 ? (int) a_len : 99,
		a != NULL ? (const char *) a : "", b_len, b_len < 99 ? (int) b_len : 99,
		b != NULL ? (const char *) b : "");
}

#define CHECK(cond) check_report((cond), __FILE__, __LINE__, "%s", #cond)
#define CHECK_INT(a, b)                                                        \
	check_int((long long) (a), (long long) (b), __FILE__, __LINE__, #a)
#define CHECK_STR(a, b) check_str((a), (b), __FILE__, __LINE__, #a)
#define CHECK_BYTES(a, a_len, b, b_len)                                        \
	check_bytes((a), (a_len), (b), (b_len), __FILE__, __LINE__, #a)
/* Anything with ptr and len against a string literal or C string. */
#define CHECK_SLICE(slice, text)                                               \
	check_bytes((slice).ptr, (slice).len, (text), strlen(text), __FILE__,      \
				__LINE__, #slice)

#define TEST(test)                                                             \
	static void								 test_##test(void);                \
	__attribute__((constructor)) static void register_##test(void)             \
	{                                                                          \
		static CheckTest self = {#test, test_##test, NULL};                    \
                                                                               \
		*check_tests_end = &self;                                              \
		check_tests_end = &self.next;                                          \
	}                                                                          \
	static void test_##test(void)

static int
check_main(void)
{
	int passed = 0;
	int failed = 0;

	for (CheckTest *test = check_tests; test != NULL; test = test->next)
	{
		char   name[256];
		size_t len = 0;

		for (; test->name[len] != '\0' && len + 1 < sizeof(name); len++)
			name[len] = test->name[len] == '_' ? ' ' : test->name[len];
		name[len] = '\0';

		check_failed = false;
		check_row[0] = '\0';
		test->run();
		if (check_failed)
			printf("not ok - %s: %s\n", name, check_what);
		else
			printf("ok - %s\n", name);
		fflush(stdout);
		check_failed ? failed++ : passed++;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}

#define TEST_MAIN()                                                            \
	int main(void)                                                             \
	{                                                                          \
		return check_main();                                                   \
	}

#endif
