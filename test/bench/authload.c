/*
 * authload - how many prepared calls a second PostgreSQL answers.
 *
 * Opens one or more connections in libpq's pipeline mode, prepares one
 * statement with one text parameter on each, and for some seconds keeps a
 * window of calls under way on every one of them, from one thread, as usherd
 * does.  The parameters are the lines of a file, in turn.  A call counts when
 * it answers one row whose first column is true; anything else ends the run
 * with a complaint, because a refused credential is answered sooner than a
 * good one and would flatter the figure.
 *
 * With --batch 1 every call is a transaction with a Sync of its own, as usherd
 * sends them; with --batch n that many share one.  libpq before 17 writes to
 * the socket at each Sync.
 *
 * Also measured: processor time of the server's processes and our own, which
 * a busy machine disturbs less than the clock.  Result: one JSON object.
 *
 * Build: make -C test/bench      Run: build/bench/authload --help
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

enum
{
	MAX_LINKS = 16,
	MAX_WINDOW = 10000,
	STATEMENT_ARGUMENTS = 1
};

static struct
{
	const char *conninfo, *statement, *file;
	int			connections, window, batch, nap_us;
	double		seconds, warm_up;
} o = {
	.conninfo = "",
	.connections = 1,
	.window = 192,
	.batch = 1,
	.nap_us = 500,
	.seconds = 3,
	.warm_up = 0.3,
};

typedef struct Link
{
	PGconn *conn;
	int		under_way; /* calls without an answer */
	int		unsynced;  /* calls since the last Sync */
	bool	unsent;	   /* libpq has bytes the socket did not take */
} Link;

static Link		link_of[MAX_LINKS];
static char	  **credentials;
static size_t	ncredentials;
static size_t	next_credential;
static uint64_t answered;

static _Noreturn void
fail(const char *what, const char *why)
{
	fprintf(stderr, "authload: %s: %s\n", what, why);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double
own_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* Of the processes that serve us, where they are on this machine; else 0. */
static double
server_cpu(void)
{
	double total = 0;

	for (int i = 0; i < o.connections; i++)
	{
		char	 path[64];
		uint64_t ns;
		FILE	*f;

		snprintf(path, sizeof path, "/proc/%d/schedstat",
				 PQbackendPID(link_of[i].conn));
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fscanf(f, "%" SCNu64, &ns) == 1)
			total += (double) ns / 1e9;
		fclose(f);
	}
	return total;
}

static void
read_credentials(void)
{
	FILE   *f = fopen(o.file, "r");
	char   *line = NULL;
	size_t	room = 0;
	size_t	listed = 0;
	ssize_t len;

	if (f == NULL)
		fail(o.file, strerror(errno));
	while ((len = getline(&line, &room, f)) > 0)
	{
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (ncredentials == listed)
		{
			listed = listed == 0 ? 1024 : 2 * listed;
			credentials = realloc(credentials, listed * sizeof *credentials);
		}
		if (credentials != NULL)
			credentials[ncredentials++] = strdup(line);
		if (credentials == NULL || credentials[ncredentials - 1] == NULL)
			fail(o.file, "out of memory");
	}
	free(line);
	fclose(f);
	if (ncredentials == 0)
		fail(o.file, "no credentials");
}

static void
open_link(Link *link)
{
	PGresult *result;

	link->conn = PQconnectdb(o.conninfo);
	if (PQstatus(link->conn) != CONNECTION_OK)
		fail("could not connect", PQerrorMessage(link->conn));
	result =
		PQprepare(link->conn, "call", o.statement, STATEMENT_ARGUMENTS, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail(o.statement, PQerrorMessage(link->conn));
	PQclear(result);
	if (PQsetnonblocking(link->conn, 1) != 0 ||
		!PQenterPipelineMode(link->conn))
		fail("could not pipeline", PQerrorMessage(link->conn));
}

static void
flush(Link *link)
{
	int left = PQflush(link->conn);

	if (left < 0)
		fail("could not send", PQerrorMessage(link->conn));
	link->unsent = left > 0;
}

static void
sync_link(Link *link)
{
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
	int sent = PQsendPipelineSync(link->conn);
#else
	int sent = PQpipelineSync(link->conn);
#endif

	if (!sent)
		fail("could not send", PQerrorMessage(link->conn));
	link->unsynced = 0;
	link->unsent = true;
}

/* Whole batches, as many as the window has room for. */
static void
fill(Link *link)
{
	while (link->under_way + o.batch <= o.window)
	{
		do
		{
			const char *value = credentials[next_credential];
			int			length = (int) strlen(value);
			int			format = 1;

			next_credential = (next_credential + 1) % ncredentials;
			if (!PQsendQueryPrepared(link->conn, "call", STATEMENT_ARGUMENTS,
									 &value, &length, &format, 0))
				fail("could not send", PQerrorMessage(link->conn));
			link->under_way++;
		} while (++link->unsynced < o.batch);
		sync_link(link);
	}
	if (link->unsent)
		flush(link);
}

static void
count_answer(const PGresult *result)
{
	if (PQntuples(result) != 1)
		fail("refused", "no row");
	if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
		fail("refused", PQnfields(result) > 1 ? PQgetvalue(result, 0, 1) : "");
	answered++;
}

static void
take(Link *link)
{
	int nulls = 0;

	if (!PQconsumeInput(link->conn))
		fail("lost the connection", PQerrorMessage(link->conn));

	/* Two NULLs in a row: nothing more.  One only ends a query's results. */
	while (nulls < 2 && !PQisBusy(link->conn))
	{
		PGresult *result = PQgetResult(link->conn);

		if (result == NULL)
		{
			nulls++;
			continue;
		}
		nulls = 0;
		if (PQresultStatus(result) == PGRES_TUPLES_OK)
		{
			count_answer(result);
			link->under_way--;
		}
		else if (PQresultStatus(result) != PGRES_PIPELINE_SYNC)
			fail("failed", PQresultErrorMessage(result));
		PQclear(result);
	}
}

/* Take what has come, if need be waiting for it; false: nothing had. */
static bool
turn(int timeout_ms)
{
	struct pollfd wait[MAX_LINKS];

	for (int i = 0; i < o.connections; i++)
	{
		wait[i].fd = PQsocket(link_of[i].conn);
		wait[i].events = POLLIN;
		if (link_of[i].unsent)
			wait[i].events |= POLLOUT;
	}
	if (poll(wait, (nfds_t) o.connections, timeout_ms) <= 0)
		return false;
	for (int i = 0; i < o.connections; i++)
	{
		if (wait[i].revents & ~POLLOUT)
			take(&link_of[i]);
		if (wait[i].revents)
			fill(&link_of[i]);
	}
	return true;
}

static void
run_for(double seconds)
{
	struct timespec nap = {0, o.nap_us * 1000L};
	double			end = now() + seconds;

	while (now() < end)
	{
		if (!turn(10000))
			fail("no answer", "for ten seconds");
		if (o.nap_us == 0)
			continue;
		/* libpq reads 16 kB at a time. */
		while (turn(0) && now() < end)
			;
		nanosleep(&nap, NULL);
	}
}

static void
usage(FILE *to)
{
	fputs("usage: authload --conninfo C --statement SQL --file F [options]\n"
		  "  --statement   SQL with the parameter $1; its first column is "
		  "true, a second may say why not\n"
		  "  --file        one credential a line\n"
		  "  --connections n (1)   --window calls under way on each (192)\n"
		  "  --batch calls under one Sync (1)\n"
		  "  --seconds s (3)       --warm-up s (0.3)\n",
		  to);
}

static void
read_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"conninfo", required_argument, NULL, 'c'},
		{"statement", required_argument, NULL, 's'},
		{"file", required_argument, NULL, 'f'},
		{"connections", required_argument, NULL, 'n'},
		{"window", required_argument, NULL, 'w'},
		{"batch", required_argument, NULL, 'b'},
		{"seconds", required_argument, NULL, 't'},
		{"warm-up", required_argument, NULL, 'u'},
		{"nap", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
	{
		switch (c)
		{
			case 'c': o.conninfo = optarg; break;
			case 's': o.statement = optarg; break;
			case 'f': o.file = optarg; break;
			case 'n': o.connections = atoi(optarg); break;
			case 'w': o.window = atoi(optarg); break;
			case 'b': o.batch = atoi(optarg); break;
			case 't': o.seconds = atof(optarg); break;
			case 'u': o.warm_up = atof(optarg); break;
			case 'p': o.nap_us = atoi(optarg); break;
			case 'h': usage(stdout); exit(0);
			default: usage(stderr); exit(2);
		}
	}
	if (o.statement == NULL || o.file == NULL || optind < argc ||
		o.connections < 1 || o.connections > MAX_LINKS || o.window < 1 ||
		o.window > MAX_WINDOW || o.batch < 1 || o.batch > o.window ||
		o.seconds <= 0 || o.warm_up < 0)
	{
		usage(stderr);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	double	 start, ours, theirs, seconds;
	uint64_t before, calls;

	read_options(argc, argv);
	read_credentials();
	for (int i = 0; i < o.connections; i++)
	{
		open_link(&link_of[i]);
		fill(&link_of[i]);
	}
	run_for(o.warm_up);

	start = now();
	ours = own_cpu();
	theirs = server_cpu();
	before = answered;
	run_for(o.seconds);
	seconds = now() - start;
	ours = own_cpu() - ours;
	theirs = server_cpu() - theirs;
	calls = answered - before;

	printf("{\"calls\": %" PRIu64 ", \"seconds\": %.3f, \"per_second\": %.0f, "
		   "\"server_cpu_us\": %.2f, \"client_cpu_us\": %.2f}\n",
		   calls, seconds, (double) calls / seconds,
		   theirs * 1e6 / (double) calls, ours * 1e6 / (double) calls);

	/* What is still under way is of no interest: it ends with the process. */
	for (int i = 0; i < o.connections; i++)
		PQfinish(link_of[i].conn);
	for (size_t i = 0; i < ncredentials; i++)
		free(credentials[i]);
	free(credentials);
	return 0;
}
