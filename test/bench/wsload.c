/*
 * wsload - WebSocket subscriber load generator and delivery checker.
 *
 * Opens N client connections to any RFC 6455 server (plain or TLS), optionally
 * sends a first message on each, then counts every text/binary message.  A
 * message may carry a sequence number and a send time (ns since the epoch by
 * default) anywhere in its text, e.g. {"s":17,"t":1764000000000000000,...};
 * from those it reports latency percentiles, gaps, duplicates and reorderings;
 * with --check M it knows exactly which of M messages each connection missed.
 * Result: one JSON object on stdout.  Progress goes to stderr.
 * With --control it keeps its connections and measures one stretch of traffic
 * ("phase") after another, as lines on stdin tell it; see the usage text.
 *
 * Long because it is one program with one job, measured as a whole: its rooms
 * would only ever be used together.
 *
 * Build: make -C test/bench      Run: build/bench/wsload --help
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum
{
	MAX_HDR = 32,
	RXBUF = 262144,
	MAX_STREAMS = 64,
	MAX_HTTP = 600
};

/* ---------------------------------------------------------------- options */

static struct
{
	const char *host, *path, *proto, *origin, *first, *trigger, *on_ready;
	const char *seq_key, *ts_key, *stream_key, *src_base, *ready_file, *sni;
	const char *send, *run_key;
	const char *hdr[MAX_HDR];
	int nhdr, port, n, threads, inflight, src_ips, groups, streams, dial,
		control;
	double	 rate, settle, connect_timeout, slow, churn;
	uint32_t first_id;
	int		 reconnect_ms, rcvbuf, quiet, tls, mono, skip, ready_on_msg, busy;
} o = {
	.host = "127.0.0.1",
	.path = "/",
	.port = 8080,
	.n = 1,
	.threads = 1,
	.inflight = 256,
	.src_ips = 1,
	.groups = 1,
	.streams = 1,
	.connect_timeout = 60,
	.seq_key = "\"s\":",
	.ts_key = "\"t\":",
	.src_base = NULL,
	.reconnect_ms = -1,
	.run_key = "\"run\":",
};

/* What one stretch of traffic is expected to be.  Without --control the whole
 * run is one; with it, each "phase" line on stdin starts from these. */
struct phase
{
	double	duration, idle_exit, send_rate, send_for, linger;
	long	expect, check, base, only; /* base: the first sequence number */
	int64_t run; /* only messages whose run is this; -1: all */
};
static struct phase ph = {
	.duration = 10, .linger = 0.1, .only = -1, .run = -1, .send_for = 1e9};

/* -------------------------------------------------------------- statistics */

#define HSUB 6 /* 64 linear sub-buckets per power of two: < 1.6 % error */
#define HN ((64 - HSUB) << HSUB)

struct hist
{
	uint64_t b[HN], n, max;
	double	 sum;
};

static unsigned
hidx(uint64_t v)
{
	if (v < (1u << HSUB))
		return (unsigned) v;
	int e = 63 - __builtin_clzll(v) - HSUB;
	return (unsigned) (((e + 1) << HSUB) + ((v >> e) & ((1 << HSUB) - 1)));
}

static uint64_t
hval(unsigned i)
{
	if (i < (1u << HSUB))
		return i;
	int e = (int) (i >> HSUB) - 1;
	return ((1ull << HSUB) + (i & ((1 << HSUB) - 1)) + 1) << e;
}

static void
hadd(struct hist *h, uint64_t v)
{
	h->b[hidx(v)]++;
	h->n++;
	h->sum += (double) v;
	if (v > h->max)
		h->max = v;
}

static uint64_t
hpct(const struct hist *h, double p)
{
	uint64_t want = (uint64_t) ceil((double) h->n * p / 100), c = 0;

	for (unsigned i = 0; i < HN && h->n; i++)
		if ((c += h->b[i]) >= want && c)
			return hval(i) < h->max ? hval(i) : h->max;
	return h->max;
}

struct stats
{
	uint64_t	ok, fail, msgs, bytes, ctrl, first_ns, last_ns, tagged;
	uint64_t	gaps, missing, dups, reorders, reconnects, early_close;
	uint64_t	uniq, beyond, stray, outside, sent, send_blocked;
	uint64_t	http[MAX_HTTP], closec[5000], err[256], misc[8];
	struct hist lat, hs;
};
enum
{
	M_BADACCEPT,
	M_PROTO,
	M_TLS,
	M_TIMEOUT,
	M_EOF_HS,
	M_NOCODE,
	M_SHORT
};
static const char *misc_name[] = {
	"bad_accept",		"protocol_error",	   "tls_error",	 "connect_timeout",
	"eof_in_handshake", "closed_without_code", "short_write"};

/* -------------------------------------------------------------- connection */

enum st
{
	S_IDLE,
	S_CONN,
	S_TLS,
	S_HTTP,
	S_OPEN,
	S_DEAD
};

struct conn
{
	SSL		 *ssl;
	char	 *rx; /* incomplete input kept between reads */
	uint32_t  rxn, rxcap;
	int		  fd;
	uint32_t  id;
	uint8_t	  st, slow, gotmsg, counted;
	char	  key[25];
	uint64_t  t0; /* start of connect */
	uint64_t  retry_at;
	uint64_t  msgs; /* in its life */
	uint64_t  got;	/* in this phase */
	uint64_t  uniq; /* of the --check messages, those that came */
	uint64_t *seen; /* --check: a bit per stream and message */
	size_t	  nseen;
	uint64_t  seq[]; /* last sequence number per stream, +1 */
};

struct worker
{
	pthread_t th;
	int ep, wake, first, count, next, inflight, open, done, triggered, limit;
	struct conn **c;
	struct stats  s, snap;
	SSL_CTX		 *ctx;
	char		 *buf;
	uint64_t	  rng, msg_no, sent, go, lo_m, hi_m, complete, targets;
	uint64_t idle, idle_seen; /* --busy: ns that found nothing to do, all and
								 until the last message */
	int		   slow_n, slow_closed;
	atomic_int phase; /* the g_phase this worker has acted on */
	double	   churn_acc;
	uint64_t   churn_last;
};

static atomic_int g_open, g_finished, g_stop, g_go, g_limit;
static atomic_int g_phase; /* --control; odd: counting, even: between phases */
static char g_say[1024];   /* --control: what connection g_say_id shall send */
static uint32_t		 g_say_id;
static atomic_int	 g_say_set;
static atomic_ullong g_last;
static uint64_t		 g_start, g_ready;

static uint64_t
clk(clockid_t c)
{
	struct timespec t;

	clock_gettime(c, &t);
	return (uint64_t) t.tv_sec * 1000000000ull + (uint64_t) t.tv_nsec;
}
static uint64_t
now(void)
{
	return clk(CLOCK_MONOTONIC);
}
static uint64_t
stamp(void)
{
	return clk(o.mono ? CLOCK_MONOTONIC : CLOCK_REALTIME);
}

static uint64_t
rnd(struct worker *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	return w->rng ^= w->rng << 17;
}

/* {i} connection number, {g} = i mod groups, {k} = i / groups, {r} random hex,
 * {n} number of the message, {t} time in ns; {i040}: with leading zeros to 40
 * places */
static size_t
expand(char *out, size_t cap, const char *t, uint32_t id, struct worker *w)
{
	size_t n = 0;

	while (*t && n + 80 < cap)
	{
		const char *e = t + 2;
		int			width = 0;

		if (t[0] == '{' && t[1] && strchr("igkrnt", t[1]))
		{
			while (isdigit((unsigned char) *e) && width < 10)
				width = width * 10 + (*e++ - '0');
			if (*e == '}')
			{
				uint64_t v = t[1] == 'i'   ? id
							 : t[1] == 'g' ? id % (unsigned) o.groups
							 : t[1] == 'k' ? id / (unsigned) o.groups
							 : t[1] == 'n' ? w->msg_no
							 : t[1] == 't' ? stamp()
										   : rnd(w);
				n += (size_t) sprintf(out + n,
									  t[1] == 'r' ? "%0*" PRIx64 : "%0*" PRIu64,
									  t[1] == 'r'  ? 16
									  : width < 64 ? width
												   : 64,
									  v);
				t = e + 1;
				continue;
			}
		}
		if (t[0] == '\\' && (t[1] == 'n' || t[1] == 'r'))
		{
			out[n++] = t[1] == 'n' ? '\n' : '\r';
			t += 2;
		}
		else
			out[n++] = *t++;
	}
	out[n] = 0;
	return n;
}

static void
watch(struct worker *w, struct conn *c, uint32_t ev, int op)
{
	struct epoll_event e = {.events = ev, .data.ptr = c};

	epoll_ctl(w->ep, op, c->fd, &e);
}

static ssize_t
cread(struct conn *c, void *b, size_t n)
{
	if (!c->ssl)
		return recv(c->fd, b, n, 0);
	int r = SSL_read(c->ssl, b, (int) n);
	if (r > 0)
		return r;
	int e = SSL_get_error(c->ssl, r);
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
	{
		errno = EAGAIN;
		return -1;
	}
	errno = ECONNRESET;
	return e == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t
cwrite(struct conn *c, const void *b, size_t n)
{
	if (!c->ssl)
		return send(c->fd, b, n, MSG_NOSIGNAL);
	int r = SSL_write(c->ssl, b, (int) n);
	return r > 0 ? r : -1;
}

static void
cclose(struct worker *w, struct conn *c, bool retry)
{
	if (c->st == S_CONN || c->st == S_TLS || c->st == S_HTTP)
	{
		w->inflight--;
		w->s.fail++;
	}
	else if (c->st == S_OPEN)
	{
		w->open--;
		atomic_fetch_sub(&g_open, 1);
		if (!atomic_load(&g_stop))
			w->s.early_close++;
	}
	if (c->ssl)
	{
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->rx);
	c->rx = NULL;
	c->rxn = c->rxcap = 0;
	if (retry && o.reconnect_ms >= 0 && !atomic_load(&g_stop))
	{
		c->st = S_IDLE;
		c->retry_at =
			now() + (uint64_t) o.reconnect_ms * 1000000ull + rnd(w) % 1000000u;
		w->s.reconnects++;
		return;
	}
	if (c->st != S_DEAD)
	{
		c->st = S_DEAD;
		w->done++;
	}
}

/* one masked client frame; payloads here are small, so one write is enough */
static bool
send_frame(struct worker *w, struct conn *c, int op, const char *p, size_t n)
{
	unsigned char f[14 + 8192], *m;
	size_t		  h = 2;

	if (n > 8192)
		n = 8192;
	f[0] = (unsigned char) (0x80 | op);
	if (n < 126)
		f[1] = (unsigned char) (0x80 | n);
	else
	{
		f[1] = 0x80 | 126;
		f[2] = (unsigned char) (n >> 8);
		f[3] = (unsigned char) n;
		h = 4;
	}
	uint32_t mask = (uint32_t) rnd(w);
	memcpy(m = f + h, &mask, 4);
	h += 4;
	for (size_t i = 0; i < n; i++)
		f[h + i] = (unsigned char) p[i] ^ m[i & 3];
	ssize_t r = cwrite(c, f, h + n);
	if (r < 0 && errno != EAGAIN)
		w->s.err[errno & 255]++;
	if (r >= 0 && r < (ssize_t) (h + n))
	{ /* half a frame: this stream is spoilt */
		w->s.misc[M_SHORT]++;
		shutdown(c->fd, SHUT_RDWR);
	}
	return r == (ssize_t) (h + n);
}

/* false: not connected yet */
static bool
send_upgrade(struct worker *w, struct conn *c)
{
	char		  req[8192];
	unsigned char k[16];
	size_t		  n, cap = sizeof(req);

	for (int i = 0; i < 2; i++)
	{
		uint64_t r = rnd(w);
		memcpy(k + 8 * i, &r, 8);
	}
	EVP_EncodeBlock((unsigned char *) c->key, k, 16);
	n = (size_t) sprintf(req, "GET ");
	n += expand(req + n, cap - n, o.path, c->id, w);
	n += (size_t) snprintf(
		req + n, cap - n,
		" HTTP/1.1\r\nHost: %s:%d\r\n"
		"Upgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n",
		o.sni ? o.sni : o.host, o.port, c->key);
	if (o.proto)
		n += (size_t) snprintf(req + n, cap - n,
							   "Sec-WebSocket-Protocol: %s\r\n", o.proto);
	if (o.origin)
		n += (size_t) snprintf(req + n, cap - n, "Origin: %s\r\n", o.origin);
	for (int i = 0; i < o.nhdr; i++)
	{
		n += expand(req + n, cap - n - 4, o.hdr[i], c->id, w);
		n += (size_t) sprintf(req + n, "\r\n");
	}
	n += (size_t) sprintf(req + n, "\r\n");
	ssize_t r = cwrite(c, req, n);
	if (r < 0 && errno == EAGAIN && c->st == S_CONN)
		return false;
	c->st = S_HTTP;
	if (r != (ssize_t) n)
		cclose(w, c, true);
	return true;
}

static void
start_tls(struct worker *w, struct conn *c)
{
	int r = SSL_connect(c->ssl);

	if (r == 1)
	{
		send_upgrade(w, c);
		return;
	}
	int e = SSL_get_error(c->ssl, r);
	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
	{
		w->s.misc[M_TLS]++;
		cclose(w, c, true);
	}
}

static void
start_conn(struct worker *w, struct conn *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, d = a;
	int				   one = 1;

	c->t0 = now();
	c->gotmsg = 0;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->st = S_CONN;
	w->inflight++;
	if (c->fd < 0)
		goto fail;
	if (o.rcvbuf)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &o.rcvbuf, sizeof(o.rcvbuf));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (o.src_ips > 1 || o.src_base)
	{
		inet_pton(AF_INET, o.src_base ? o.src_base : "127.0.0.2", &a.sin_addr);
		a.sin_addr.s_addr =
			htonl(ntohl(a.sin_addr.s_addr) + c->id % (unsigned) o.src_ips);
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
				   sizeof(one));
		if (bind(c->fd, (void *) &a, sizeof(a)))
			goto fail;
	}
	inet_pton(AF_INET, o.host, &d.sin_addr);
	d.sin_port = htons((uint16_t) o.port);
	if (connect(c->fd, (void *) &d, sizeof(d)) && errno != EINPROGRESS)
		goto fail;
	if (o.tls || !send_upgrade(w, c)) /* on loopback it is connected already */
		watch(w, c, EPOLLOUT, EPOLL_CTL_ADD);
	else if (c->st == S_HTTP)
		watch(w, c, EPOLLIN, EPOLL_CTL_ADD);
	return;
fail:
	w->s.err[errno & 255]++;
	cclose(w, c, true);
}

/* ------------------------------------------------------------- the messages */

static bool
findnum(const char *p, size_t n, const char *key, uint64_t *v)
{
	size_t		k = strlen(key);
	const char *q = p, *e = p + n, *last = n >= k ? e - k : NULL;

	if (!k || !last)
		return false;
	while (q <= last && (*q != *key ||
						 memcmp(q, key, k))) /* keys come early: beats memmem */
		q++;
	if (q > last)
		return false;
	for (q += k; q < e && (*q == ' ' || *q == '"'); q++)
		;
	if (q >= e || *q < '0' || *q > '9')
		return false;
	for (*v = 0; q < e && *q >= '0' && *q <= '9'; q++)
		*v = *v * 10 + (uint64_t) (*q - '0');
	return true;
}

static void
opened(struct worker *w, struct conn *c)
{
	c->st = S_OPEN;
	w->inflight--;
	w->open++;
	w->s.ok++;
	hadd(&w->s.hs, now() - c->t0);
	atomic_fetch_add(&g_open, 1);
	if (o.slow > 0 && (double) (c->id * 617ull % 1000) < o.slow * 1000)
	{
		int small = 4096;
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		c->slow = 1;
	}
}

/* --check: which of the messages base .. base+check-1 came, how often, in which
 * order */
static void
check(struct worker *w, struct conn *c, uint64_t stream, uint64_t v)
{
	size_t	 words = ((size_t) ph.check + 63) / 64;
	uint64_t k = v - (uint64_t) ph.base, bit;

	if (v < (uint64_t) ph.base || k >= (uint64_t) ph.check ||
		c->nseen < words * (unsigned) o.streams)
	{
		w->s.beyond++;
		return;
	}
	bit = 1ull << (k & 63);
	uint64_t *cell = &c->seen[stream * words + k / 64];
	if (*cell & bit)
	{
		w->s.dups++;
		return;
	}
	*cell |= bit;
	c->uniq++;
	if (c->counted)
		w->s.uniq++;
	if (k + 1 < c->seq[stream])
		w->s.reorders++;
	else
		c->seq[stream] = k + 1;
}

/* t: now; rt: the same moment in the clock of the time stamps */
static void
message(struct worker *w, struct conn *c, const char *p, size_t n, uint64_t t,
		uint64_t rt)
{
	uint64_t v, id = 0;

	if (c->msgs++ < (uint64_t) o.skip)
		return;
	c->gotmsg = 1;
	if (ph.run >= 0 && findnum(p, n, o.run_key, &v) && v != (uint64_t) ph.run)
	{
		w->s.stray++;
		return;
	}
	if (o.control && !(w->phase & 1))
	{
		w->s.outside++;
		return;
	}
	c->got++;
	w->s.msgs++;
	w->s.bytes += n;
	if (!w->s.first_ns)
		w->s.first_ns = t;
	w->s.last_ns = t;
	if (o.ts_key && findnum(p, n, o.ts_key, &v))
	{
		hadd(&w->s.lat, rt > v ? rt - v : 0);
		w->s.tagged++;
	}
	if (o.stream_key && findnum(p, n, o.stream_key, &id))
		id %= (unsigned) o.streams;
	if (!o.seq_key || !findnum(p, n, o.seq_key, &v))
		return;
	if (ph.check > 0)
	{
		check(w, c, id, v);
		return;
	}
	uint64_t *last = &c->seq[id];

	v++;
	if (*last)
	{
		if (v == *last)
			w->s.dups++;
		else if (v < *last)
			w->s.reorders++;
		else if (v > *last + 1)
		{
			w->s.gaps++;
			w->s.missing += v - *last - 1;
		}
	}
	if (v > *last)
		*last = v;
}

/* A phase begins: forget what was counted, and know who must get what. */
static void
phase_begin(struct worker *w)
{
	size_t words = ((size_t) ph.check + 63) / 64 * (unsigned) o.streams;

	if (o.control)
		memset(&w->s, 0, sizeof(w->s));
	w->targets = w->sent = 0;
	w->slow_n = 0;
	for (int i = 0; i < w->count; i++)
	{
		struct conn *c = w->c[i];

		c->got = c->uniq = 0;
		memset(c->seq, 0, sizeof(uint64_t) * (unsigned) o.streams);
		if (c->nseen < words)
		{
			free(c->seen);
			c->seen = malloc(words * 8);
			c->nseen = words;
		}
		if (words)
			memset(c->seen, 0, words * 8);
		c->counted = c->st == S_OPEN && !c->slow &&
					 (ph.only < 0 || (long) c->id == ph.only);
		w->targets += c->counted;
		w->slow_n += c->st == S_OPEN && c->slow;
	}
	w->idle = w->idle_seen = 0;
	w->go = now();
}

static void
phase_end(struct worker *w)
{
	w->lo_m = UINT64_MAX;
	w->hi_m = w->complete = 0;
	w->slow_closed = 0;
	for (int i = 0; i < w->count; i++)
	{
		struct conn *c = w->c[i];

		if (c->slow && c->fd >= 0)
		{ /* not read, so a FIN went unseen */
			struct tcp_info ti;
			socklen_t		l = sizeof(ti);
			if (!getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &ti, &l) &&
				ti.tcpi_state != TCP_ESTABLISHED)
				w->slow_closed++;
		}
		else if (c->slow)
			w->slow_closed++;
		if (o.control && !c->counted)
			continue;
		if (c->got < w->lo_m)
			w->lo_m = c->got;
		if (c->got > w->hi_m)
			w->hi_m = c->got;
		if (ph.check > 0 &&
			c->uniq == (uint64_t) ph.check * (unsigned) o.streams)
			w->complete++;
	}
	w->snap = w->s;
	memset(&w->s, 0, sizeof(w->s));
}

/* returns bytes used, or -1 when the connection was closed */
static ssize_t
frames(struct worker *w, struct conn *c, char *p, size_t n)
{
	size_t	 used = 0;
	uint64_t t = now(), rt = o.mono ? t : stamp();

	while (n - used >= 2)
	{
		unsigned char *f = (unsigned char *) p + used;
		uint64_t	   len = f[1] & 0x7f;
		size_t		   h = 2;

		if (len == 126)
			h = 4;
		else if (len == 127)
			h = 10;
		if (n - used < h)
			break;
		if (h == 4)
			len = (uint64_t) f[2] << 8 | f[3];
		else if (h == 10)
		{
			len = 0;
			for (int i = 0; i < 8; i++)
				len = len << 8 | f[2 + i];
		}
		if (f[1] & 0x80)
		{ /* servers must not mask */
			w->s.misc[M_PROTO]++;
			cclose(w, c, true);
			return -1;
		}
		if (n - used - h < len)
			break;
		switch (f[0] & 15)
		{
			case 0:
			case 1:
			case 2: message(w, c, (char *) f + h, len, t, rt); break;
			case 8:
			{
				unsigned code =
					len >= 2 ? (unsigned) (f[h] << 8 | f[h + 1]) : 1005;
				if (code < 5000)
					w->s.closec[code]++;
				send_frame(w, c, 8, (char *) f + h, len >= 2 ? 2 : 0);
				cclose(w, c, true);
				return -1;
			}
			case 9:
				w->s.ctrl++;
				send_frame(w, c, 10, (char *) f + h, len);
				break;
			case 10: w->s.ctrl++; break;
			default:
				w->s.misc[M_PROTO]++;
				cclose(w, c, true);
				return -1;
		}
		used += h + len;
	}
	return (ssize_t) used;
}

static ssize_t
http(struct worker *w, struct conn *c, char *p, size_t n)
{
	char *e = memmem(p, n, "\r\n\r\n", 4), *a;
	int	  code;

	if (!e)
		return 0;
	code = n > 12 && !memcmp(p, "HTTP/1.", 7) ? atoi(p + 9) : 0;
	if (code < 0 || code >= MAX_HTTP)
		code = 0;
	w->s.http[code]++;
	if (code != 101)
	{
		cclose(w, c, true);
		return -1;
	}
	char		  cat[64];
	unsigned char md[20], b64[32];
	int k = sprintf(cat, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", c->key);
	SHA1((unsigned char *) cat, (size_t) k, md);
	EVP_EncodeBlock(b64, md, 20);
	*e = 0;
	a = strcasestr(p, "\nsec-websocket-accept:");
	if (!a || !strstr(a, (char *) b64))
	{
		w->s.misc[M_BADACCEPT]++;
		cclose(w, c, true);
		return -1;
	}
	opened(w, c);
	if (o.first)
	{
		char   m[8192];
		size_t ml = expand(m, sizeof(m), o.first, c->id, w);
		send_frame(w, c, 1, m, ml);
	}
	return e + 4 - p;
}

static void
readable(struct worker *w, struct conn *c)
{
	for (int again = 0; again < 4; again++)
	{
		size_t have = c->rxn;

		if (have)
			memcpy(w->buf, c->rx, have);
		ssize_t r = cread(c, w->buf + have, RXBUF - have);
		if (r <= 0)
		{
			if (r < 0 && (errno == EAGAIN || errno == EINTR))
				return;
			if (c->st == S_HTTP)
				w->s.misc[M_EOF_HS]++;
			else
				w->s.misc[M_NOCODE]++;
			if (r < 0)
				w->s.err[errno & 255]++;
			cclose(w, c, true);
			return;
		}
		size_t	n = have + (size_t) r, used = 0;
		ssize_t u;

		if (c->st == S_HTTP)
		{
			if ((u = http(w, c, w->buf, n)) < 0)
				return;
			used = (size_t) u;
		}
		if (c->st == S_OPEN && used < n)
		{
			if ((u = frames(w, c, w->buf + used, n - used)) < 0)
				return;
			used += (size_t) u;
		}
		size_t left = n - used;
		if (left > c->rxcap)
		{
			c->rxcap = left < 512 ? 512 : (uint32_t) left;
			c->rx = realloc(c->rx, c->rxcap);
		}
		if (left)
			memcpy(c->rx, w->buf + used, left);
		c->rxn = (uint32_t) left;
		if (!left && c->rx && c->rxcap > 4096)
		{
			free(c->rx);
			c->rx = NULL;
			c->rxcap = 0;
		}
		if (!c->ssl && n < RXBUF)
			return;
		if (c->ssl && !SSL_pending(c->ssl) && r < 16384)
			return;
	}
}

static void
event(struct worker *w, struct conn *c, uint32_t ev)
{
	if (c->st == S_CONN && (ev & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
	{
		int		  err = 0;
		socklen_t l = sizeof(err);

		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
		if (err)
		{
			w->s.err[err & 255]++;
			cclose(w, c, true);
			return;
		}
		watch(w, c, EPOLLIN, EPOLL_CTL_MOD);
		if (o.tls)
		{
			c->ssl = SSL_new(w->ctx);
			SSL_set_fd(c->ssl, c->fd);
			if (o.sni)
				SSL_set_tlsext_host_name(c->ssl, o.sni);
			c->st = S_TLS;
			start_tls(w, c);
		}
		else
			send_upgrade(w, c);
		return;
	}
	if (c->st == S_TLS)
	{
		start_tls(w, c);
		return;
	}
	if (c->st == S_HTTP || c->st == S_OPEN)
		readable(w, c);
}

static void
dial(struct worker *w, uint64_t t)
{
	double el = (double) (t - g_start) / 1e9;
	int	   most = w->limit < w->count ? w->limit : w->count;
	int allowed = o.rate > 0 ? (int) (el * o.rate / o.threads) + 1 : w->count;
	int lim = o.inflight / o.threads > 0 ? o.inflight / o.threads : 1;

	while (w->next < most && w->next < allowed && w->inflight < lim)
		start_conn(w, w->c[w->next++]);
	if (o.reconnect_ms >= 0 || o.churn > 0)
		for (int i = 0; i < w->next && w->inflight < lim; i++)
			if (w->c[i]->st == S_IDLE && w->c[i]->retry_at <= t)
				start_conn(w, w->c[i]);
}

/* --send: connection after connection in turn, evenly spread over time */
static void
speak(struct worker *w, uint64_t t)
{
	double el = t > w->go ? (double) (t - w->go) / 1e9 : 0,
		   lim = el < ph.send_for ? el : ph.send_for;
	uint64_t due = (uint64_t) (lim * ph.send_rate * w->count);

	for (int budget = 256; w->sent < due && budget; w->sent++, budget--)
	{
		struct conn *c = w->c[w->sent % (unsigned) w->count];
		char		 m[8192];

		w->msg_no = w->sent / (unsigned) w->count;
		if (c->st != S_OPEN ||
			!send_frame(w, c, 1, m, expand(m, sizeof(m), o.send, c->id, w)))
			w->s.send_blocked++;
		else
			w->s.sent++;
	}
}

static void *
work(void *arg)
{
	struct worker	  *w = arg;
	struct epoll_event ev[512];
	uint64_t		   last_sweep = now();
	bool			   finished = false, slowed = false;

	while (atomic_load(&g_stop) < 2)
	{
		uint64_t t = now();

		int want = atomic_load(&g_phase), limit = atomic_load(&g_limit);
		if (w->phase != want)
		{
			if (want & 1)
				phase_begin(w);
			else
				phase_end(w);
			atomic_store(&w->phase, want);
			t = now();
		}
		if (w->limit != limit)
		{
			w->limit = limit;
			finished = false;
		}
		if (!atomic_load(&g_stop))
			dial(w, t);
		if (atomic_load(&g_say_set))
		{
			for (int i = 0; i < w->count; i++)
				if (w->c[i]->id == g_say_id && w->c[i]->st == S_OPEN)
					send_frame(w, w->c[i], 1, g_say, strlen(g_say));
			atomic_store(&g_say_set, 0);
		}
		if (o.send && ph.send_rate > 0 && w->go && (!o.control || w->phase & 1))
			speak(w, t);
		int tmo = o.busy ? 0 : o.send ? 1 : 10;
		int n = epoll_wait(w->ep, ev, 512, tmo);
		if (o.busy && !n)
			w->idle += now() - t;
		for (int i = 0; i < n; i++)
			if (ev[i].data.ptr)
				event(w, ev[i].data.ptr, ev[i].events);
			else
				eventfd_read(w->wake, &(eventfd_t){0});
		if (n > 0)
		{
			w->idle_seen = w->idle;
			if (w->s.msgs)
				atomic_store(&g_last, w->s.last_ns);
		}
		t = now();
		if (t - last_sweep > 200000000ull)
		{ /* handshake time-outs */
			uint64_t lim = (uint64_t) (o.connect_timeout * 1e9);

			last_sweep = t;
			for (int i = 0; w->inflight && i < w->next; i++)
			{
				struct conn *c = w->c[i];
				if ((c->st == S_CONN || c->st == S_TLS || c->st == S_HTTP) &&
					t - c->t0 > lim)
				{
					w->s.misc[M_TIMEOUT]++;
					cclose(w, c, true);
				}
			}
		}
		if (!finished &&
			w->next >= (w->limit < w->count ? w->limit : w->count) &&
			!w->inflight)
		{
			finished = true;
			atomic_fetch_add(&g_finished, 1);
		}
		if (atomic_load(&g_go))
		{
			if (!w->go)
				w->go = t;
			if (o.slow > 0 && !slowed)
			{
				slowed = true;
				for (int i = 0; i < w->count; i++)
					if (w->c[i]->slow && w->c[i]->st == S_OPEN)
						watch(w, w->c[i], 0, EPOLL_CTL_MOD);
			}
			if (o.trigger && !w->triggered && w->first == 0)
			{
				char   m[8192];
				size_t l = expand(m, sizeof(m), o.trigger, 0, w);
				w->triggered = 1;
				for (int i = 0; i < w->count; i++)
					if (w->c[i]->st == S_OPEN)
					{
						send_frame(w, w->c[i], 1, m, l);
						break;
					}
			}
			if (o.churn > 0 && !atomic_load(&g_stop))
			{
				if (!w->churn_last)
					w->churn_last = t;
				w->churn_acc +=
					(double) (t - w->churn_last) / 1e9 * o.churn / o.threads;
				w->churn_last = t;
				for (; w->churn_acc >= 1; w->churn_acc--)
				{
					struct conn *c = w->c[rnd(w) % (unsigned) w->count];
					if (c->st != S_OPEN)
						continue;
					int keep = o.reconnect_ms;
					o.reconnect_ms = keep < 0 ? 0 : keep;
					send_frame(w, c, 8, "\x03\xe8", 2);
					w->s.early_close--;
					cclose(w, c, true);
					memset(c->seq, 0, sizeof(uint64_t) * (unsigned) o.streams);
					o.reconnect_ms = keep;
				}
			}
		}
	}
	return NULL;
}

/* ------------------------------------------------------------------- report */

static void
jhist(const char *name, const struct hist *h)
{
	printf("\"%s\":{\"n\":%" PRIu64, name, h->n);
	if (h->n)
		printf(",\"mean_us\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,"
			   "\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f",
			   h->sum / (double) h->n / 1e3, (double) hpct(h, 50) / 1e3,
			   (double) hpct(h, 90) / 1e3, (double) hpct(h, 99) / 1e3,
			   (double) hpct(h, 99.9) / 1e3, (double) h->max / 1e3);
	printf("}");
}

static void
jmap(const char *name, const uint64_t *v, int n, const char *(*nm)(int) )
{
	const char *sep = "";

	printf("\"%s\":{", name);
	for (int i = 0; i < n; i++)
		if (v[i])
		{
			if (nm)
				printf("%s\"%s\":%" PRIu64, sep, nm(i), v[i]);
			else
				printf("%s\"%d\":%" PRIu64, sep, i, v[i]);
			sep = ",";
		}
	printf("}");
}
static const char *
errname(int i)
{
	return strerrorname_np(i) ? strerrorname_np(i) : "?";
}
static const char *
miscname(int i)
{
	return misc_name[i];
}

static void
add(struct stats *a, const struct stats *b)
{
	a->ok += b->ok;
	a->fail += b->fail;
	a->msgs += b->msgs;
	a->bytes += b->bytes;
	a->ctrl += b->ctrl;
	a->tagged += b->tagged;
	a->gaps += b->gaps;
	a->missing += b->missing;
	a->dups += b->dups;
	a->reorders += b->reorders;
	a->reconnects += b->reconnects;
	a->early_close += b->early_close;
	a->uniq += b->uniq;
	a->beyond += b->beyond;
	a->stray += b->stray;
	a->outside += b->outside;
	a->sent += b->sent;
	a->send_blocked += b->send_blocked;
	if (b->first_ns && (!a->first_ns || b->first_ns < a->first_ns))
		a->first_ns = b->first_ns;
	if (b->last_ns > a->last_ns)
		a->last_ns = b->last_ns;
	for (int i = 0; i < MAX_HTTP; i++)
		a->http[i] += b->http[i];
	for (int i = 0; i < 5000; i++)
		a->closec[i] += b->closec[i];
	for (int i = 0; i < 256; i++)
		a->err[i] += b->err[i];
	for (int i = 0; i < 8; i++)
		a->misc[i] += b->misc[i];
	for (int h = 0; h < 2; h++)
	{
		struct hist		  *x = h ? &a->hs : &a->lat;
		const struct hist *y = h ? &b->hs : &b->lat;
		for (unsigned i = 0; i < HN; i++)
			x->b[i] += y->b[i];
		x->n += y->n;
		x->sum += y->sum;
		if (y->max > x->max)
			x->max = y->max;
	}
}

static void
onsig(int s)
{
	int running = 0;

	(void) s;
	atomic_compare_exchange_strong(&g_stop, &running, 1); /* 2 stays 2 */
}

static void
print_connect(const struct stats *s, int open, double secs, int more)
{
	printf("\"connections\":%d,\"connect\":{\"ok\":%" PRIu64
		   ",\"failed\":%" PRIu64 ",\"open_at_ready\":%d,\"open_at_end\":%d,"
		   "\"seconds\":%.3f,\"per_second\":%.0f,",
		   o.n, s->ok, s->fail, open, atomic_load(&g_open), secs, more / secs);
	jhist("handshake", &s->hs);
	printf(",");
	jmap("http_status", s->http, MAX_HTTP, NULL);
	printf(",");
	jmap("errno", s->err, 256, errname);
	printf(",");
	jmap("other", s->misc, 7, miscname);
	printf("}");
}

/* everything that was counted between the start and the end of a phase */
static void
print_traffic(struct worker *ws, const struct stats *s, double cpu)
{
	double	 span = s->last_ns > s->first_ns
						? (double) (s->last_ns - s->first_ns) / 1e9
						: 0;
	uint64_t lo = UINT64_MAX, hi = 0, complete = 0, targets = 0;
	int		 slow = 0, slow_closed = 0;

	for (int t = 0; t < o.threads; t++)
	{
		if (ws[t].lo_m < lo)
			lo = ws[t].lo_m;
		if (ws[t].hi_m > hi)
			hi = ws[t].hi_m;
		complete += ws[t].complete;
		targets += ws[t].targets;
		slow += ws[t].slow_n;
		slow_closed += ws[t].slow_closed;
	}
	printf("\"deliveries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.4f,"
		   "\"first_ns\":%" PRIu64 ",\"last_ns\":%" PRIu64 ","
		   "\"deliveries_per_second\":%.0f,\"per_client\":{\"min\":%" PRIu64
		   ",\"max\":%" PRIu64 "},",
		   s->msgs, s->bytes, span, s->first_ns, s->last_ns,
		   span > 0 ? (double) s->msgs / span : 0.0, lo == UINT64_MAX ? 0 : lo,
		   hi);
	jhist("latency", &s->lat);
	if (ph.check > 0)
		printf(",\"check\":{\"connections\":%" PRIu64 ",\"expected\":%" PRIu64
			   ",\"unique\":%" PRIu64 ",\"lost\":%" PRIu64
			   ",\"duplicates\":%" PRIu64 ",\"reorders\":%" PRIu64
			   ",\"beyond\":%" PRIu64 ",\"complete_connections\":%" PRIu64 "}",
			   targets, targets * (uint64_t) ph.check * (unsigned) o.streams,
			   s->uniq,
			   targets * (uint64_t) ph.check * (unsigned) o.streams - s->uniq,
			   s->dups, s->reorders, s->beyond, complete);
	else
		printf(",\"sequence\":{\"gaps\":%" PRIu64 ",\"missing\":%" PRIu64
			   ",\"duplicates\":%" PRIu64 ",\"reorders\":%" PRIu64 "}",
			   s->gaps, s->missing, s->dups, s->reorders);
	if (o.send)
		printf(",\"sent\":%" PRIu64 ",\"send_blocked\":%" PRIu64, s->sent,
			   s->send_blocked);
	if (o.slow > 0)
		printf(",\"slow\":{\"connections\":%d,\"closed\":%d}", slow,
			   slow_closed);
	printf(",\"stray\":%" PRIu64 ",\"control_frames\":%" PRIu64
		   ",\"early_closes\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",",
		   s->stray, s->ctrl, s->early_close, s->reconnects);
	jmap("close_codes", s->closec, 5000, NULL);
	if (o.busy)
	{ /* spinning is not work */
		double idle = 0;
		for (int t = 0; t < o.threads; t++)
			idle += (double) ws[t].idle_seen / 1e9;
		printf(",\"idle_seconds\":%.3f", idle);
	}
	printf(",\"client_cpu_seconds\":%.3f", cpu);
}

/* next whole line of stdin within ms (-1: for ever); NULL: none yet, or *eof */
static char *
control_line(int ms, bool *eof)
{
	static char	  b[4096], out[4096];
	static size_t n;
	struct pollfd p = {.fd = 0, .events = POLLIN};

	for (;;)
	{
		char *e = memchr(b, '\n', n);
		if (e)
		{
			size_t l = (size_t) (e - b);
			memcpy(out, b, l);
			out[l] = 0;
			memmove(b, e + 1, n -= l + 1);
			return out;
		}
		if (poll(&p, 1, ms) <= 0)
			return NULL;
		ssize_t r = n < sizeof(b) ? read(0, b + n, sizeof(b) - n) : 0;
		if (r <= 0)
		{
			*eof = true;
			return NULL;
		}
		n += (size_t) r;
	}
}

static bool
phase_option(struct phase *p, const char *k, const char *v)
{
	if (!strcmp(k, "run"))
		p->run = atol(v);
	else if (!strcmp(k, "base"))
		p->base = atol(v);
	else if (!strcmp(k, "only"))
		p->only = atol(v);
	else if (!strcmp(k, "check"))
		p->check = atol(v);
	else if (!strcmp(k, "expect"))
		p->expect = atol(v);
	else if (!strcmp(k, "duration"))
		p->duration = atof(v);
	else if (!strcmp(k, "idle-exit"))
		p->idle_exit = atof(v);
	else if (!strcmp(k, "linger"))
		p->linger = atof(v);
	else if (!strcmp(k, "send-rate"))
		p->send_rate = atof(v);
	else if (!strcmp(k, "send-for"))
		p->send_for = atof(v);
	else
		return false;
	return true;
}

static double
cpu_of(const struct rusage *a, const struct rusage *b)
{
	return (double) (b->ru_utime.tv_sec - a->ru_utime.tv_sec +
					 b->ru_stime.tv_sec - a->ru_stime.tv_sec) +
		   (double) (b->ru_utime.tv_usec - a->ru_utime.tv_usec +
					 b->ru_stime.tv_usec - a->ru_stime.tv_usec) /
			   1e6;
}

/* "say ID TEXT": that connection sends TEXT */
static bool
say(struct worker *w, const char *l)
{
	int at = 0;

	if (sscanf(l, "say %u %n", &g_say_id, &at) < 1 || !at ||
		strlen(l + at) >= sizeof(g_say))
		return false;
	strcpy(g_say, l + at);
	atomic_store(&g_say_set, 1);
	eventfd_write(w->wake, 1);
	while (atomic_load(&g_say_set) && !atomic_load(&g_stop))
		nanosleep(&(struct timespec){0, 100000}, NULL);
	return true;
}

/* Listens until the phase is over; says why it is. */
static const char *
listen_phase(struct worker *ws, uint64_t go, int open_at_go)
{
	uint64_t	pm = 0, tick = now(), done_at = 0, targets = 0;
	int			slow = 0;
	bool		eof = false;
	const char *why = "duration";

	for (int t = 0; t < o.threads; t++)
	{
		targets += ws[t].targets * (uint64_t) ph.check * (unsigned) o.streams;
		for (int i = 0; i < ws[t].count; i++)
			slow += ws[t].c[i]->slow;
	}
	while (!atomic_load(&g_stop) && (double) (now() - go) / 1e9 < ph.duration)
	{
		uint64_t m = 0, last = 0, uniq = 0;

		if (o.control)
		{
			char *l = control_line(5, &eof);
			if (eof || (l && !strcmp(l, "stop")))
				return "stop";
			if (l)
				say(ws, l);
		}
		else
			nanosleep(&(struct timespec){0, 5000000}, NULL);
		for (int t = 0; t < o.threads; t++)
		{
			m += ws[t].s.msgs;
			uniq += ws[t].s.uniq;
			if (ws[t].s.last_ns > last)
				last = ws[t].s.last_ns;
		}
		if (ph.check > 0 && targets && uniq >= targets && !done_at)
			done_at = now();
		if (done_at && (double) (now() - done_at) / 1e9 >= ph.linger)
			return "complete";
		if (ph.expect &&
			m >= (uint64_t) ph.expect * (uint64_t) (open_at_go - slow))
			return "expect";
		if (ph.idle_exit > 0 && last &&
			(double) (now() - last) / 1e9 > ph.idle_exit)
			return "idle";
		if (!o.quiet && now() - tick > 1000000000ull)
		{
			tick = now();
			fprintf(stderr,
					"wsload: %d open, %" PRIu64 " msgs (+%" PRIu64 "/s)\n",
					atomic_load(&g_open), m, m - pm);
			pm = m;
		}
	}
	return why;
}

/* tell the workers, wait until each has acted */
static void
set_phase(struct worker *ws, int p)
{
	atomic_store(&g_phase, p);
	for (int t = 0; t < o.threads; t++)
		eventfd_write(ws[t].wake, 1);
	for (int t = 0; t < o.threads; t++)
		while (atomic_load(&ws[t].phase) != p)
			nanosleep(&(struct timespec){0, 200000}, NULL);
}

static void
wait_dialled(void)
{
	while (!atomic_load(&g_stop) && atomic_load(&g_finished) != o.threads)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* --control: obey stdin until it ends */
static void
obey(struct worker *w, double conn_s)
{
	const struct phase dflt = ph;
	bool			   eof = false;
	int				   n = 0, before = 0;

	set_phase(w, n += 2); /* what was counted so far is about connecting */
	printf("{\"event\":\"ready\",");
	print_connect(&w->snap, atomic_load(&g_open), conn_s, atomic_load(&g_open));
	printf("}\n");
	fflush(stdout);
	while (!atomic_load(&g_stop) && !eof)
	{
		char *l = control_line(200, &eof), *sv = NULL, *k;

		if (!l || say(w, l) || !(k = strtok_r(l, " ", &sv)))
			continue;
		if (!strcmp(k, "quit"))
			break;
		if (!strcmp(k, "dial") && (k = strtok_r(NULL, " ", &sv)))
		{
			uint64_t t0 = now();

			before = atomic_load(&g_open);
			g_start = t0;
			atomic_store(&g_finished, 0);
			atomic_store(&g_limit, atoi(k));
			eventfd_write(w->wake, 1);
			wait_dialled();
			conn_s = (double) (now() - t0) / 1e9;
			set_phase(w, n += 2);
			printf("{\"event\":\"ready\",");
			print_connect(&w->snap, atomic_load(&g_open), conn_s,
						  atomic_load(&g_open) - before);
			printf("}\n");
		}
		else if (!strcmp(k, "phase"))
		{
			struct rusage r0, r1;
			uint64_t	  outside;
			bool		  bad = false;

			ph = dflt;
			while ((k = strtok_r(NULL, " ", &sv)))
			{
				char *v = strchr(k, '=');
				if (v)
					*v++ = 0;
				if (!v || !phase_option(&ph, k, v))
					bad = true;
			}
			if (bad)
			{
				printf("{\"event\":\"error\",\"what\":\"bad phase option\"}\n");
				fflush(stdout);
				continue;
			}
			outside = w->s.outside;
			atomic_store(&g_go, 1);
			getrusage(RUSAGE_SELF, &r0);
			set_phase(w, n += 1);
			printf("{\"event\":\"go\",\"ns\":%" PRIu64 "}\n", now());
			fflush(stdout);
			const char *why = listen_phase(w, w->go, atomic_load(&g_open));
			getrusage(RUSAGE_SELF, &r1);
			set_phase(w, n += 1);
			printf("{\"event\":\"phase\",\"ended\":\"%s\",\"go_ns\":%" PRIu64
				   ",\"open\":%d,"
				   "\"outside\":%" PRIu64 ",",
				   why, w->go, atomic_load(&g_open), outside);
			print_traffic(w, &w->snap, cpu_of(&r0, &r1));
			printf(",");
			jmap("errno", w->snap.err, 256, errname);
			printf(",");
			jmap("other", w->snap.misc, 7, miscname);
			printf("}\n");
		}
		else
			printf("{\"event\":\"error\",\"what\":\"unknown command\"}\n");
		fflush(stdout);
	}
	atomic_store(&g_stop, 2);
	pthread_join(w->th, NULL);
}

static const char usage[] =
	"usage: wsload [options]\n"
	"connection\n"
	"  --host IP --port N          server (127.0.0.1:8080)\n"
	"  --path T                    request target; a template: {i} connection "
	"number, {g} = i mod\n"
	"                              groups, {k} = i / groups, {r} random hex, "
	"{i040} zero-padded\n"
	"  --header 'K: V'             extra request header, template; may repeat\n"
	"  --proto P --origin O        Sec-WebSocket-Protocol, Origin\n"
	"  --tls [--sni NAME]          wss (certificate not verified)\n"
	"  -n N                        connections (1)\n"
	"  --first-id I                their numbers begin at I (0)\n"
	"  --groups G                  for {g} (1)\n"
	"  --src-ips K [--src-base A]  bind to K source addresses from A "
	"(127.0.0.2): 28k ports each\n"
	"  --rate R                    connections per second at most (0: no "
	"limit)\n"
	"  --inflight M                handshakes under way at once (256)\n"
	"  --connect-timeout S         per handshake (60)\n"
	"  --rcvbuf B                  SO_RCVBUF of every connection\n"
	"  --threads T                 (1)\n"
	"messages\n"
	"  --first T                   text message each connection sends once "
	"open (template)\n"
	"  --skip K                    ignore each connection's first K messages "
	"(acknowledgements)\n"
	"  --ready-on-msg              a connection is ready only after --skip "
	"messages came\n"
	"  --trigger T                 text message sent by one connection once "
	"all are ready\n"
	"  --on-ready CMD              shell command started once all are ready\n"
	"  --ready-file F              file created once all are ready\n"
	"  --seq-key K --ts-key K      text before the sequence number / ns time "
	"('\"s\":', '\"t\":')\n"
	"  --stream-key K --streams M  text before a stream number; one sequence "
	"per stream\n"
	"  --clock real|mono           clock of the time stamp (real)\n"
	"  --check M [--base B]        each connection must get B .. B+M-1 once, "
	"in order, per stream;\n"
	"                              exact losses, duplicates, reorders; ends "
	"when all have all\n"
	"  --send T                    text messages that connections send; {n} "
	"number, {t} time stamp\n"
	"  --send-rate R --send-for S  per connection and second; for S seconds\n"
	"run\n"
	"  --duration S                seconds to listen after ready (10)\n"
	"  --expect M                  end early when every reading connection has "
	"M messages (on average)\n"
	"  --idle-exit S               end early when no message came for S "
	"seconds after the first\n"
	"  --settle S                  wait S seconds between all open and ready\n"
	"  --reconnect MS              dial again MS after a close\n"
	"  --churn R                   close and reopen R connections per second\n"
	"  --slow F                    fraction of connections that stop reading "
	"once ready\n"
	"  --busy                      spin instead of sleeping in epoll_wait\n"
	"  --quiet                     no progress on stderr\n"
	"control (one thread): connections stay, stdin says what to do, one JSON "
	"line answers each\n"
	"  --control                   stdin: 'phase run=K check=M base=B only=I "
	"expect=M duration=S\n"
	"                              idle-exit=S linger=S send-rate=R "
	"send-for=S' (any of them) counts\n"
	"                              one stretch: answers go, then phase; 'stop' "
	"ends it early;\n"
	"                              'dial N' opens more connections, up to N; "
	"'say ID TEXT' makes\n"
	"                              connection ID send TEXT (no answer); "
	"'quit'\n"
	"  --dial N                    open only N of the -n connections at first\n"
	"  --run-key K                 text before the run number, for run=K "
	"('\"run\":')\n";

int
main(int ac, char **av)
{
	enum
	{
		HOST = 1000,
		PORT,
		PATH,
		HDR,
		PROTO,
		ORIGIN,
		TLS,
		SNI,
		GROUPS,
		SRCIPS,
		SRCBASE,
		RATE,
		INFL,
		CTO,
		RCVBUF,
		THREADS,
		FIRST,
		SKIP,
		ROM,
		TRIG,
		ONREADY,
		RFILE,
		SEQ,
		TS,
		STREAMK,
		STREAMS,
		CLOCK,
		DUR,
		EXPECT,
		IDLE,
		SETTLE,
		RECON,
		CHURN,
		SLOW,
		BUSY,
		QUIET,
		HELP,
		FIRSTID,
		CHECK,
		BASE,
		SEND,
		SENDRATE,
		SENDFOR,
		CONTROL,
		DIAL,
		RUNKEY
	};
	static const struct option lo[] = {{"host", 1, 0, HOST},
									   {"port", 1, 0, PORT},
									   {"path", 1, 0, PATH},
									   {"header", 1, 0, HDR},
									   {"proto", 1, 0, PROTO},
									   {"origin", 1, 0, ORIGIN},
									   {"tls", 0, 0, TLS},
									   {"sni", 1, 0, SNI},
									   {"groups", 1, 0, GROUPS},
									   {"src-ips", 1, 0, SRCIPS},
									   {"src-base", 1, 0, SRCBASE},
									   {"rate", 1, 0, RATE},
									   {"inflight", 1, 0, INFL},
									   {"connect-timeout", 1, 0, CTO},
									   {"rcvbuf", 1, 0, RCVBUF},
									   {"threads", 1, 0, THREADS},
									   {"first", 1, 0, FIRST},
									   {"skip", 1, 0, SKIP},
									   {"ready-on-msg", 0, 0, ROM},
									   {"trigger", 1, 0, TRIG},
									   {"on-ready", 1, 0, ONREADY},
									   {"ready-file", 1, 0, RFILE},
									   {"seq-key", 1, 0, SEQ},
									   {"ts-key", 1, 0, TS},
									   {"stream-key", 1, 0, STREAMK},
									   {"streams", 1, 0, STREAMS},
									   {"clock", 1, 0, CLOCK},
									   {"duration", 1, 0, DUR},
									   {"expect", 1, 0, EXPECT},
									   {"idle-exit", 1, 0, IDLE},
									   {"settle", 1, 0, SETTLE},
									   {"reconnect", 1, 0, RECON},
									   {"churn", 1, 0, CHURN},
									   {"slow", 1, 0, SLOW},
									   {"busy", 0, 0, BUSY},
									   {"quiet", 0, 0, QUIET},
									   {"help", 0, 0, HELP},
									   {"first-id", 1, 0, FIRSTID},
									   {"check", 1, 0, CHECK},
									   {"base", 1, 0, BASE},
									   {"send", 1, 0, SEND},
									   {"send-rate", 1, 0, SENDRATE},
									   {"send-for", 1, 0, SENDFOR},
									   {"control", 0, 0, CONTROL},
									   {"dial", 1, 0, DIAL},
									   {"run-key", 1, 0, RUNKEY},
									   {0, 0, 0, 0}};
	int						   ch;

	while ((ch = getopt_long(ac, av, "n:h", lo, NULL)) != -1)
		switch (ch)
		{
			case 'n': o.n = atoi(optarg); break;
			case HOST: o.host = optarg; break;
			case PORT: o.port = atoi(optarg); break;
			case PATH: o.path = optarg; break;
			case HDR:
				if (o.nhdr < MAX_HDR)
					o.hdr[o.nhdr++] = optarg;
				break;
			case PROTO: o.proto = optarg; break;
			case ORIGIN: o.origin = optarg; break;
			case TLS: o.tls = 1; break;
			case SNI: o.sni = optarg; break;
			case GROUPS: o.groups = atoi(optarg) > 0 ? atoi(optarg) : 1; break;
			case SRCIPS: o.src_ips = atoi(optarg) > 0 ? atoi(optarg) : 1; break;
			case SRCBASE: o.src_base = optarg; break;
			case RATE: o.rate = atof(optarg); break;
			case INFL: o.inflight = atoi(optarg); break;
			case CTO: o.connect_timeout = atof(optarg); break;
			case RCVBUF: o.rcvbuf = atoi(optarg); break;
			case THREADS:
				o.threads = atoi(optarg) > 0 ? atoi(optarg) : 1;
				break;
			case FIRST: o.first = optarg; break;
			case SKIP: o.skip = atoi(optarg); break;
			case ROM: o.ready_on_msg = 1; break;
			case TRIG: o.trigger = optarg; break;
			case ONREADY: o.on_ready = optarg; break;
			case RFILE: o.ready_file = optarg; break;
			case SEQ: o.seq_key = optarg; break;
			case TS: o.ts_key = optarg; break;
			case STREAMK: o.stream_key = optarg; break;
			case STREAMS: o.streams = atoi(optarg); break;
			case CLOCK: o.mono = !strcmp(optarg, "mono"); break;
			case DUR: ph.duration = atof(optarg); break;
			case EXPECT: ph.expect = atol(optarg); break;
			case IDLE: ph.idle_exit = atof(optarg); break;
			case CHECK: ph.check = atol(optarg); break;
			case BASE: ph.base = atol(optarg); break;
			case SEND: o.send = optarg; break;
			case SENDRATE: ph.send_rate = atof(optarg); break;
			case SENDFOR: ph.send_for = atof(optarg); break;
			case FIRSTID: o.first_id = (uint32_t) atol(optarg); break;
			case CONTROL: o.control = 1; break;
			case DIAL: o.dial = atoi(optarg); break;
			case RUNKEY: o.run_key = optarg; break;
			case SETTLE: o.settle = atof(optarg); break;
			case RECON: o.reconnect_ms = atoi(optarg); break;
			case CHURN: o.churn = atof(optarg); break;
			case SLOW: o.slow = atof(optarg); break;
			case BUSY: o.busy = 1; break;
			case QUIET: o.quiet = 1; break;
			case 'h':
			case HELP: fputs(usage, stdout); return 0;
			default: fputs(usage, stderr); return 2;
		}
	if (o.streams < 1 || o.streams > MAX_STREAMS || o.n < 1 || ph.check < 0 ||
		((o.control || o.dial) && o.threads > 1))
	{
		fputs(usage, stderr);
		return 2;
	}
	struct rlimit rl;
	getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur < (rlim_t) o.n + 64)
	{ /* root may raise the hard limit too */
		rl.rlim_cur = (rlim_t) o.n + 256;
		if (rl.rlim_max < rl.rlim_cur)
			rl.rlim_max = rl.rlim_cur;
		if (setrlimit(RLIMIT_NOFILE, &rl))
			fprintf(stderr, "wsload: cannot raise the open-file limit: %s\n",
					strerror(errno));
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, onsig);
	signal(SIGTERM, onsig);

	struct worker *ws = calloc((size_t) o.threads, sizeof(*ws));
	g_start = now();
	for (int t = 0, at = 0; t < o.threads; t++)
	{
		struct worker *w = &ws[t];

		w->first = at;
		w->count = o.n / o.threads + (t < o.n % o.threads);
		at += w->count;
		w->ep = epoll_create1(EPOLL_CLOEXEC);
		w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		epoll_ctl(w->ep, EPOLL_CTL_ADD, w->wake,
				  &(struct epoll_event){.events = EPOLLIN});
		w->buf = malloc(RXBUF);
		w->rng = 0x9e3779b97f4a7c15ull * (unsigned) (t + 1) ^ stamp();
		w->c = calloc((size_t) w->count, sizeof(*w->c));
		for (int i = 0; i < w->count; i++)
		{
			w->c[i] = calloc(1, sizeof(struct conn) +
									sizeof(uint64_t) * (unsigned) o.streams);
			w->c[i]->fd = -1;
			w->c[i]->id = o.first_id + (uint32_t) (w->first + i);
		}
		if (o.tls)
		{
			w->ctx = SSL_CTX_new(TLS_client_method());
			SSL_CTX_set_mode(w->ctx, SSL_MODE_RELEASE_BUFFERS |
										 SSL_MODE_ENABLE_PARTIAL_WRITE |
										 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
			SSL_CTX_set_verify(w->ctx, SSL_VERIFY_NONE, NULL);
		}
	}
	atomic_store(&g_limit, o.dial > 0 ? o.dial : o.n);
	for (int t = 0; t < o.threads; t++)
	{
		ws[t].limit = atomic_load(&g_limit);
		pthread_create(&ws[t].th, NULL, work, &ws[t]);
	}

	/* phase 1: everybody connected (or failed) */
	uint64_t tick = now(), prev = 0;
	for (;;)
	{
		struct timespec ts = {0, 2000000};
		uint64_t		got = 0, ready = 0;

		nanosleep(&ts, NULL);
		if (atomic_load(&g_stop))
			break;
		if (atomic_load(&g_finished) == o.threads)
		{
			if (!o.ready_on_msg)
				break;
			for (int t = 0; t < o.threads; t++)
				for (int i = 0; i < ws[t].count; i++)
					if (ws[t].c[i]->st != S_OPEN)
						ready++, got++;
					else if (ws[t].c[i]->msgs >= (uint64_t) o.skip)
						ready++;
			if (ready >= (uint64_t) o.n)
				break;
		}
		if (!o.quiet && now() - tick > 1000000000ull)
		{
			tick = now();
			fprintf(stderr, "wsload: %d open (+%" PRIu64 "/s)\n",
					atomic_load(&g_open),
					(uint64_t) atomic_load(&g_open) - prev);
			prev = (uint64_t) atomic_load(&g_open);
		}
	}
	g_ready = now();
	int	   open_at_ready = atomic_load(&g_open);
	double conn_s = (double) (g_ready - g_start) / 1e9;
	if (!o.quiet)
		fprintf(stderr, "wsload: ready, %d of %d open in %.2f s\n",
				open_at_ready, o.n, conn_s);
	if (o.settle > 0 && !atomic_load(&g_stop))
		usleep((useconds_t) (o.settle * 1e6));
	if (o.control)
	{
		obey(ws, conn_s);
		return 0;
	}
	struct rusage ru0, ru;
	if (ph.check > 0 && !atomic_load(&g_stop))
		set_phase(ws, 1);
	uint64_t go = now();
	getrusage(RUSAGE_SELF, &ru0);
	atomic_store(&g_go, 1);
	if (o.ready_file)
	{
		FILE *f = fopen(o.ready_file, "w");
		if (f)
			fclose(f);
	}
	if (o.on_ready && !fork())
	{
		execl("/bin/sh", "sh", "-c", o.on_ready, (char *) NULL);
		_exit(127);
	}

	/* phase 2: listen */
	listen_phase(ws, go, open_at_ready);
	getrusage(RUSAGE_SELF, &ru);
	atomic_store(&g_stop, 2);
	static struct stats s;
	for (int t = 0; t < o.threads; t++)
	{
		pthread_join(ws[t].th, NULL);
		phase_end(&ws[t]);
		add(&s, &ws[t].snap);
	}
	printf("{");
	print_connect(&s, open_at_ready, conn_s, open_at_ready);
	printf(",");
	print_traffic(ws, &s, cpu_of(&ru0, &ru));
	printf("}\n");
	return s.ok == (uint64_t) o.n || o.reconnect_ms >= 0 || o.churn > 0 ? 0 : 1;
}
