/*
 * usher.js
 *	Client of the protocol usher.v1: one WebSocket, many groups.
 *
 * connect() keeps one connection alive until it is closed, or refused for good;
 * subscriptions survive reconnects.  What a group is to be (it has
 * subscriptions or not) and what it is with the server (its state) are brought
 * together by flush(), whenever either has changed.
 *
 * It has to stay small: README.md is the guide, protocol.md the protocol.
 */

/* Coming again would change nothing. */
const FINAL = [1002, 1003, 1007, 1009, 4400, 4403, 4410];
/* Another credential may change it. */
const REFUSED = [4401, 4419];
/* Time may change it. */
const TEMPORARY = [1011, 1013, 4429];

const MAX_GROUPS = 100; // in one message
const MAX_UNCLAIMED = 1000; // messages kept for an iteration not yet begun
const CALM_MS = 5000; // open this long, a connection has been a success
/* Browsers wake a hidden page's timers once a minute: that is no sleep. */
const SLEEP_MS = 90000;

/* A state that is a reason, too, and a reason that is given often. */
const CLOSED = "closed";
const DISCONNECTED = "disconnected";

/* What a group is with the server. */
const OUT = 0;
const BUSY = 1; // asked, in or out, and not answered yet
const IN = 2;

/* What went wrong, in the protocol's words and with its members. */
class UsherError extends Error {
	constructor(facts) {
		const { reason, detail } = facts;
		super(detail ? reason + ": " + detail : reason);
		Object.assign(this, facts, {
			name: "UsherError",
			retryAfter: facts.retry_after_ms ?? facts.reconnect_after_ms,
		});
	}
}

const trouble = (code, reason, cause) => new UsherError({ code, reason, cause });

const now = () => Date.now();

const ignore = () => {};

/* ---- bytes --------------------------------------------------------------- */

const toBase64 = (bytes) =>
	btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));

const fromBase64 = (text) =>
	Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/* A token, which is ASCII, as a subprotocol: base64url, without padding. */
const asProtocol = (token) =>
	"usher.auth." +
	btoa(token).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

/* The members "data" and "format" of a send. */
function pack(data = null, format) {
	const { buffer = data, byteOffset, byteLength } = data ?? {};
	if (!(buffer instanceof ArrayBuffer)) return { data, format };
	const bytes = new Uint8Array(buffer, byteOffset, byteLength);
	return { data: toBase64(bytes), format: "binary" };
}

/* ---- events and iteration ------------------------------------------------ */

/* What a listener throws is an unhandled rejection, and harms nobody else. */
function createEvents() {
	const listeners = new Set();
	const on = (name, listener) => {
		const entry = [name, listener]; // the same function may come twice
		listeners.add(entry);
		return () => listeners.delete(entry);
	};
	const emit = (name, ...values) => {
		for (const [wanted, listener] of [...listeners])
			if (wanted === name) (async () => listener(...values))();
	};
	return [on, emit];
}

/* ---- the client ---------------------------------------------------------- */

function connect(
	address,
	{
		token,
		carrier,
		anonymous,
		attempts: maxRefusals = 5,
		timeout = 15000,
		heartbeat = 25000,
		backoff: { min = 250, max = 30000 } = {},
		WebSocket = globalThis.WebSocket,
	} = {},
) {
	const url = new URL(address, globalThis.location).href.replace(/^http/, "ws");
	const canRenew = typeof token === "function";
	const [on, emit] = createEvents();
	const groups = new Map();
	const answers = new Map(); // id of what was asked -> who takes the answer
	const waiters = []; // for a change of any kind
	let state;
	let socket;
	let openSince; // falsy: not open
	let notice; // what the server last said about an end
	let lastId = 0;
	let deadline; // to hear something
	let probing; // what is to be heard is the answer to a ping
	let turn = 0; // what an earlier turn comes back with is stale
	let attempts = 0; // since the last success
	let refusals = 0; // since the last welcome
	let timer; // of the next attempt or, when open, the next refresh
	let renewedAt = 0;
	let lastTick = now();
	let resolveClosed;

	const change = () => new Promise((resolve) => waiters.push(resolve));

	const changed = () => waiters.splice(0).forEach((resolve) => resolve());

	const setState = (next) => {
		if (state !== next) emit("state", (state = next));
		changed();
	};

	/* -- questions and answers -- */

	/* answered(answer) returns whether more answers will come. */
	const ask = (message, answered) => {
		answers.set(++lastId, answered);
		socket.send(JSON.stringify({ ...message, id: lastId }));
	};

	const request = async (message) => {
		if (!openSince) throw trouble(1006, DISCONNECTED);
		const answer = await new Promise((resolve) => ask(message, resolve));
		if (answer.code) throw new UsherError(answer);
		return answer;
	};

	/* -- one connection -- */

	const credential = async (why) => {
		try {
			return canRenew ? await token(why) : token;
		} catch (cause) {
			throw trouble(0, "token_failed", cause);
		}
	};

	const start = async (why) => {
		const mine = ++turn;
		clearTimeout(timer);
		setState("connecting");
		try {
			const shown = await credential(why);
			if (mine === turn) open(shown);
		} catch (error) {
			if (mine !== turn) return;
			if (!error.reason) return finish(error); // WebSocket takes no such URL
			emit("error", error);
			lost(error);
		}
	};

	const open = (shown) => {
		const inMessage = carrier === "message";
		const offer = ["usher.v1"];
		if (shown && !inMessage) offer.push(asProtocol(shown));
		const mine = new WebSocket(url, offer);
		const ifMine = (action) => (event) => mine === socket && action(event);

		socket = mine;
		notice = probing = undefined;
		deadline = now() + timeout;
		mine.onopen = ifMine(() => {
			// Answered by welcome; unless a cookie was quicker, which is no harm.
			if (shown ? inMessage : anonymous) ask({ type: "auth", token: shown });
		});
		mine.onmessage = ifMine(({ data }) => {
			try {
				receive(JSON.parse(data));
			} catch (cause) {
				lost(trouble(1007, "invalid_message", cause));
			}
		});
		mine.onerror = ignore; // onclose follows
		mine.onclose = ifMine(({ code, reason }) => {
			const known = notice?.code === code && notice;
			lost(new UsherError({ reason: reason || DISCONNECTED, ...known, code }), !shown);
		});
	};

	const receive = (message) => {
		const { id, type, group: name, code, seq, tag, recovered } = message;
		const group = groups.get(name);
		// Where to go on from.  What is recovered is still to come.
		if (group && seq >= 0 && !recovered) group.since = { seq, tag };
		if (code && !name) notice = message;
		if (!answers.get(id)?.(message)) answers.delete(id);
		// What comes while we leave is about a membership that nobody wants.
		if (!name || group?.state === IN) handlers[type]?.(message, group);
		// Whatever is heard is proof of life.
		probing = false;
		if (openSince) deadline = now() + heartbeat;
	};

	const probe = (wait) => {
		if (!openSince || probing) return;
		probing = true;
		deadline = now() + wait;
		ask({ type: "ping" });
	};

	/* Nobody is in a group any more, until they are asked for again. */
	const disconnect = (error) => {
		const { code, message: detail } = error;
		const old = socket;
		if (now() - openSince > CALM_MS) attempts = 0;
		socket = openSince = deadline = undefined;
		turn++;
		clearTimeout(timer);
		groups.forEach(leave);
		answers.forEach((answered) => answered?.({ code, reason: DISCONNECTED, detail }));
		answers.clear();
		if (!old) return;
		old.close();
		emit("close", error);
	};

	const lost = (error, nothingShown) => {
		const { code, retryAfter } = error;
		// Who had nothing to show is not waited for next time either.
		const refused = REFUSED.includes(code) || (nothingShown && code === 4408);
		disconnect(error);
		if (FINAL.includes(code) || (refused && (!canRenew || ++refusals >= maxRefusals)))
			return finish(error);
		// With jitter, so that not all who were cut off come back at once.
		const jittered = Math.min(max, min * 2 ** attempts++) * (0.5 + Math.random() / 2);
		const why = refused ? "refused" : "reconnect";
		timer = setTimeout(start, Math.max(jittered, retryAfter ?? 0), why);
		setState("waiting");
	};

	const finish = (error) => {
		clearInterval(ticker);
		listen("removeEventListener");
		disconnect(error ?? trouble(1000, CLOSED));
		setState(CLOSED);
		groups.forEach((group) => expel(group, error));
		if (error) emit("error", error);
		resolveClosed(error);
	};

	/* -- sleeping and waking -- */

	const tick = () => {
		const slept = now() - lastTick > SLEEP_MS;
		lastTick = now();
		if (slept) {
			// The server has given us up by now, and the credential may be old.
			disconnect(trouble(1006, "slept"));
			start("wake");
		} else if (lastTick > deadline) {
			if (!openSince || probing) lost(trouble(1006, "timeout"));
			probe(timeout);
		}
		flush();
	};

	/* The page was shown or hidden, or the network is back. */
	const nudge = () => {
		tick();
		if (state === "waiting") start("wake");
		probe(timeout / 3);
	};

	const listen = (how) => {
		["visibilitychange", "online"].forEach((name) => globalThis[how]?.(name, nudge));
	};

	/* -- refreshing -- */

	const refresh = async (why) =>
		request({ type: "refresh", token: await credential(why) });

	const renew = async () => {
		const old = socket;
		renewedAt = now();
		try {
			await refresh("expiring");
		} catch (error) {
			if (socket !== old) return; // a new one has a new credential
			emit("error", error);
			timer = setTimeout(renew, error.retryAfter ?? CALM_MS);
		}
	};

	/* -- groups -- */

	const flush = () => {
		groups.forEach(({ state: is, subs }, name) => {
			if (is === OUT && !subs.size) groups.delete(name);
		});
		if (!openSince) return;
		move("subscribe", OUT);
		move("unsubscribe", IN);
	};

	/* All that is to be moved from a state, in as few messages as there can be. */
	const move = (type, from) => {
		const all = [...groups.values()].filter(
			({ state: is, subs, due }) =>
				is === from && !subs.size === (from === IN) && !(due > now()),
		);
		while (all.length) {
			const list = all.splice(0, MAX_GROUPS);
			let left = list.length;
			const named = list.map((group) => {
				const { name, since } = group;
				group.state = BUSY;
				return from === OUT && since ? { group: name, since } : name;
			});
			ask({ type, groups: named }, (answer) => {
				for (const group of list)
					// What names no group is about all of them.
					if (group.name === (answer.group ?? group.name)) {
						left--;
						settle(group, from, answer);
					}
				return left;
			});
		}
	};

	const settle = (group, from, answer) => {
		const { code, reason } = answer;
		if (!openSince) return; // disconnect() sees to it
		if (!code) (from === OUT ? enter : leave)(group, answer);
		// One group too many is one too many later, too; unless it fitted in
		// before, and an old connection of ours has yet to be noticed dead.
		else if (TEMPORARY.includes(code) && (group.answer || !/^too_many/.test(reason)))
			postpone(group, from, new UsherError(answer));
		else expel(group, new UsherError(answer));
		flush();
	};

	const enter = (group, answer) => {
		const { name, answer: resumed } = group;
		group.state = IN;
		group.wait = 0;
		group.answer = answer;
		tell(group, "subscribed", answer);
		if (resumed) emit("resume", { group: name, recovered: answer.recovered });
		changed();
	};

	/* No jitter: those that were refused together are to ask together. */
	const postpone = (group, from, error) => {
		const wait = Math.max(Math.min(max, 2 * (group.wait || min)), error.retryAfter ?? 0);
		group.wait = wait;
		group.state = from;
		group.due = now() + wait;
		setTimeout(flush, wait + 1);
		emit("error", error);
	};

	const leave = (group) => {
		group.state = OUT;
		group.due = 0;
		changed();
	};

	/* Out without having asked; there is no error when we close. */
	const expel = (group, error) => {
		const { subs } = group;
		group.subs = new Set();
		group.answer = undefined;
		leave(group);
		tell({ subs }, "unsubscribed", error);
	};

	const tell = ({ subs }, ...event) => {
		[...subs].forEach((emitTo) => emitTo(...event));
	};

	/* -- what the server says -- */

	const onPresence = (message, group) => tell(group, message.type, message);

	const handlers = {
		welcome(message) {
			openSince = now();
			refusals = 0;
			setState("open");
			emit("welcome", message);
			flush();
		},
		expiring(message) {
			emit("expiring", message);
			if (!canRenew) return;
			// Whose credential always lives short is told so at once, each time:
			// the nearer the end, the sooner again, but never in a tight loop.
			const notBefore = renewedAt + Math.max(1000, message.in * 500);
			clearTimeout(timer);
			timer = setTimeout(renew, notBefore - now());
		},
		message(message, group) {
			let { format = "json", data } = message;
			if (format === "binary") data = fromBase64(data);
			tell(group, "message", data, { ...message, format, data });
		},
		reset: (message) => emit("resume", message),
		unsubscribed: (message, group) => expel(group, new UsherError(message)),
		join: onPresence,
		leave: onPresence,
		presence: onPresence,
	};

	/* -- what the application asks -- */

	const send = async (name, data, { format, wait } = {}) => {
		while (wait && state !== CLOSED && (!openSince || (groups.get(name)?.state ?? IN) < IN))
			await change();
		await request({ type: "send", group: name, ...pack(data, format) });
	};

	const subscribe = (name, callback, { since } = {}) => {
		if (state === CLOSED) throw trouble(1000, CLOSED);
		const [onEvent, emitTo] = createEvents();
		const group = groups.get(name) ?? { name, state: OUT, subs: new Set() };
		let ending;

		const ready = new Promise((resolve, reject) => {
			onEvent("subscribed", resolve);
			onEvent("unsubscribed", (error) => {
				ending = { error };
				reject(error ?? trouble(0, "unsubscribed"));
			});
		});

		/* The messages from now on. */
		const iterate = () => {
			const items = [];
			let wake;
			const off = onEvent("message", (data, message) => {
				items.push(message);
				if (wake) wake();
				else if (items.length > MAX_UNCLAIMED) items.shift();
			});
			onEvent("unsubscribed", () => wake?.());
			return (async function* () {
				wake = ignore; // begun: from now on all are kept
				try {
					while (items.length || !ending)
						if (items.length) yield items.shift();
						else await new Promise((resolve) => (wake = resolve));
				} finally {
					off();
				}
				if (ending.error) throw ending.error;
			})();
		};

		const unsubscribe = async () => {
			if (!group.subs.delete(emitTo)) return;
			emitTo("unsubscribed");
			flush();
			while (group.state !== OUT && !group.subs.size) await change();
		};

		ready.catch(ignore); // who does not look does not care
		if (callback) onEvent("message", callback);
		let unclaimed = !callback && iterate();
		groups.set(name, group);
		group.since ??= since;
		group.subs.add(emitTo);
		queueMicrotask(() => {
			// Another subscription may have brought us in already.
			if (group.state === IN && !ending) emitTo("subscribed", group.answer);
			else flush();
		});

		return {
			group: name,
			ready,
			unsubscribe,
			send: send.bind(null, name),
			presence: async () => (await request({ type: "presence", group: name })).users,
			on: onEvent,
			[Symbol.asyncIterator]() {
				const mine = unclaimed || iterate();
				unclaimed = false;
				return mine;
			},
		};
	};

	const closed = new Promise((resolve) => (resolveClosed = resolve));
	const ticker = setInterval(tick, timeout / 4);
	listen("addEventListener");
	start("connect");

	return {
		get state() {
			return state;
		},
		closed,
		on,
		subscribe,
		send,
		refresh: () => refresh("refresh"),
		close: () => finish(),
	};
}

export { connect, UsherError };
