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
const STABLE_MS = 5000; // open this long, a connection has been a success
/* Browsers wake a hidden page's timers once a minute: that is no sleep. */
const SLEEP_MS = 90000;

/* What a group is with the server. */
const OUT = 0;
const BUSY = 1; // asked, in or out, and not answered yet
const IN = 2;

/* What went wrong, in the protocol's words. */
class UsherError extends Error {
	constructor(facts, cause) {
		const { code, reason, detail, group } = facts;
		super(detail ? reason + ": " + detail : reason, { cause });
		Object.assign(this, { name: "UsherError", code, reason, detail, group });
		this.retryAfter = facts.retry_after_ms ?? facts.reconnect_after_ms;
	}
}

const trouble = (code, reason, detail, cause) =>
	new UsherError({ code, reason, detail }, cause);

const now = () => Date.now();

/* ---- bytes --------------------------------------------------------------- */

const toBase64 = (bytes) =>
	btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

const fromBase64 = (text) =>
	Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/* A token as a subprotocol: base64url, without padding. */
const asProtocol = (token) =>
	"usher.auth." +
	toBase64(new TextEncoder().encode(token))
		.replace(/\+/g, "-")
		.replace(/\//g, "_")
		.replace(/=/g, "");

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
	return {
		on(name, listener) {
			const entry = [name, listener]; // the same function may come twice
			listeners.add(entry);
			return () => listeners.delete(entry);
		},
		emit(name, ...values) {
			for (const [wanted, listener] of [...listeners])
				if (wanted === name) (async () => listener(...values))();
		},
	};
}

/* Messages from now on, until "end", which may have an error. */
function iterate({ on }) {
	const items = [];
	let wake;
	let ending;
	const off = on("message", (data, message) => {
		items.push(message);
		if (wake) wake();
		else if (items.length > MAX_UNCLAIMED) items.shift();
	});
	on("end", (error) => {
		ending = { error };
		wake?.();
	});
	return (async function* () {
		try {
			while (items.length || !ending)
				if (items.length) yield items.shift();
				else await new Promise((resolve) => (wake = resolve));
		} finally {
			off();
		}
		if (ending.error) throw ending.error;
	})();
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
	const url = new URL(address, globalThis.location?.href).href.replace(/^http/, "ws");
	const canRenew = typeof token === "function";
	const { on, emit } = createEvents();
	const groups = new Map();
	const answers = new Map(); // id of what was asked -> who takes the answer
	const waiters = []; // for a change of any kind
	let state;
	let socket;
	let openSince; // falsy: not open
	let notice; // what the server last said about an end
	let lastId = 0;
	let heard; // when
	let deadline; // to hear something
	let turn = 0; // what an earlier turn comes back with is stale
	let attempts = 0; // since the last success
	let refusals = 0; // since the last welcome
	let timer; // of the next attempt
	let renewal; // timer of the next refresh
	let renewedAt = 0;
	let lastTick = now();
	let resolveClosed;

	const change = () => new Promise((resolve) => waiters.push(resolve));

	function changed() {
		for (const resolve of waiters.splice(0)) resolve();
	}

	function setState(next) {
		if (state !== next) emit("state", (state = next));
		changed();
	}

	/* With jitter, so that not all who were cut off come back at once. */
	const pause = (attempt, atLeast = 0) =>
		Math.max(atLeast, Math.min(max, min * 2 ** attempt) * (0.5 + Math.random() / 2));

	/* -- questions and answers -- */

	/* answered(answer) returns whether more answers will come. */
	function ask(message, answered) {
		answers.set(++lastId, answered);
		socket.send(JSON.stringify({ ...message, id: lastId }));
	}

	async function request(message) {
		if (!openSince) throw trouble(1006, "disconnected");
		flush(); // subscribe first to what was subscribed to before
		const answer = await new Promise((resolve) => ask(message, resolve));
		if (answer.type === "error") throw new UsherError(answer);
		return answer;
	}

	/* -- one connection -- */

	async function credential(why) {
		try {
			return canRenew ? await token(why) : token;
		} catch (cause) {
			throw trouble(0, "token_failed", cause, cause);
		}
	}

	async function start(why) {
		const mine = ++turn;
		clearTimeout(timer);
		setState("connecting");
		try {
			const shown = await credential(why);
			if (mine === turn) open(shown);
		} catch (error) {
			if (mine !== turn) return;
			emit("error", error);
			lost(error);
		}
	}

	function open(shown) {
		const inMessage = carrier === "message";
		const offer = ["usher.v1"];
		if (shown && !inMessage) offer.push(asProtocol(shown));
		const mine = new WebSocket(url, offer);
		const ifMine = (action) => (event) => mine === socket && action(event);

		socket = mine;
		notice = undefined;
		deadline = now() + timeout;
		socket.onopen = ifMine(() => {
			// Answered by welcome; unless a cookie was quicker, which is no harm.
			if (shown ? inMessage : anonymous) ask({ type: "auth", token: shown || undefined });
		});
		socket.onmessage = ifMine(({ data }) => receive(JSON.parse(data)));
		socket.onerror = () => {}; // onclose follows
		socket.onclose = ifMine(({ code, reason }) => {
			const known = notice?.code === code ? notice : { reason: reason || "disconnected" };
			lost(new UsherError({ ...known, code }), !shown);
		});
	}

	function receive(message) {
		const { id, type, group, code } = message;
		heard = now();
		if (openSince) deadline = Infinity;
		if (code) notice = message;
		if (!answers.get(id)?.(message)) answers.delete(id);
		handlers[type]?.(message, groups.get(group));
	}

	/* Whatever is heard is proof of life. */
	function probe(wait) {
		if (!openSince || deadline < Infinity) return;
		deadline = now() + wait;
		ask({ type: "ping" });
	}

	/* Nobody is in a group any more, until they are asked for again. */
	function disconnect(error) {
		const { code, message: detail } = error;
		const old = socket;
		if (openSince && now() - openSince > STABLE_MS) attempts = 0;
		socket = openSince = undefined;
		deadline = Infinity;
		clearTimeout(renewal);
		for (const group of groups.values()) leave(group);
		for (const answered of answers.values())
			answered?.({ type: "error", code, reason: "disconnected", detail });
		answers.clear();
		if (!old) return;
		old.close();
		emit("close", error);
	}

	function lost(error, nothingShown) {
		const { code, retryAfter } = error;
		const refused = REFUSED.includes(code);
		disconnect(error);
		// Who had nothing to show is not waited for next time either.
		if (refused || (code === 4408 && nothingShown)) refusals += canRenew || !refused ? 1 : maxRefusals;
		if (FINAL.includes(code) || refusals >= maxRefusals) return finish(error);
		timer = setTimeout(start, pause(attempts++, retryAfter), refused ? "refused" : "reconnect");
		setState("waiting");
	}

	function finish(error) {
		if (state === "closed") return;
		turn++;
		clearTimeout(timer);
		clearInterval(ticker);
		listen("removeEventListener");
		disconnect(error ?? trouble(1000, "closed"));
		for (const group of groups.values()) expel(group, error);
		setState("closed");
		if (error) emit("error", error);
		resolveClosed(error);
	}

	/* -- sleeping and waking -- */

	function tick() {
		const slept = now() - lastTick > SLEEP_MS;
		lastTick = now();
		if (slept) {
			// The server has given us up by now, and the credential may be old.
			disconnect(trouble(1006, "slept"));
			start("wake");
		} else if (lastTick > deadline) lost(trouble(1006, "timeout"));
		else if (lastTick - heard >= heartbeat) probe(timeout);
		flush();
	}

	/* The page was shown or hidden, or the network is back. */
	function nudge() {
		tick();
		if (state === "waiting") start("wake");
		probe(timeout / 3);
	}

	function listen(how) {
		for (const name of ["visibilitychange", "online"]) globalThis[how]?.(name, nudge);
	}

	/* -- refreshing -- */

	const refresh = async (why) =>
		request({ type: "refresh", token: await credential(why) });

	async function renew(attempt) {
		const old = socket;
		renewedAt = now();
		try {
			await refresh("expiring");
		} catch (error) {
			if (socket !== old) return; // a new one has a new credential
			emit("error", error);
			renewal = setTimeout(renew, pause(attempt, error.retryAfter), attempt + 1);
		}
	}

	/* -- groups -- */

	function flush() {
		for (const [name, { state: is, subs }] of groups)
			if (is === OUT && !subs.size) groups.delete(name);
		if (!openSince) return;
		move("subscribe", OUT);
		move("unsubscribe", IN);
	}

	/* All that is to be moved from a state, in as few messages as there can be. */
	function move(type, from) {
		const all = [...groups.values()].filter(
			({ state: is, subs, notBefore }) =>
				is === from && !subs.size === (from === IN) && notBefore <= now(),
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
				return left > 0;
			});
		}
	}

	function settle(group, from, answer) {
		const { type, code, reason } = answer;
		if (reason === "disconnected") return; // disconnect() saw to it
		if (type === "subscribed") enter(group, answer);
		else if (type === "ok") leave(group);
		// One group too many is one too many later, too; unless it fitted in
		// before, and an old connection of ours has yet to be noticed dead.
		else if (TEMPORARY.includes(code) && (group.answer || !/^too_many/.test(reason)))
			postpone(group, from, new UsherError(answer));
		else expel(group, new UsherError(answer));
		flush();
	}

	function enter(group, answer) {
		const { name, answer: resumed } = group;
		Object.assign(group, { state: IN, attempts: 0, answer });
		tell(group, "subscribed", answer);
		if (resumed) emit("resume", { group: name, recovered: answer.recovered });
		changed();
	}

	function postpone(group, from, error) {
		const wait = pause(group.attempts++, error.retryAfter);
		group.state = from;
		group.notBefore = now() + wait;
		setTimeout(flush, wait + 1);
		emit("error", error);
	}

	function leave(group) {
		group.state = OUT;
		group.notBefore = 0;
		changed();
	}

	/* Out without having asked; there is no error when we close. */
	function expel(group, error) {
		const all = [...group.subs];
		group.subs.clear();
		leave(group);
		for (const { end } of all) end(error);
	}

	function tell({ subs }, ...event) {
		for (const { emit: emitTo } of [...subs]) emitTo(...event);
	}

	/* -- what the server says -- */

	/* What comes while we leave is about a membership that nobody wants. */
	const inGroup = (action) => (message, group) => group?.state === IN && action(group, message);
	const tellPresence = inGroup((group, { type, ...who }) => tell(group, type, who));

	const handlers = {
		welcome(message) {
			openSince = now();
			deadline = Infinity;
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
			clearTimeout(renewal);
			renewal = setTimeout(renew, notBefore - now(), 2);
		},
		message: inGroup((group, { type, data, format = "json", ...rest }) => {
			const { seq, tag } = rest;
			if (seq !== undefined) group.since = { seq, tag };
			if (format === "binary") data = fromBase64(data);
			tell(group, "message", data, { ...rest, format, data });
		}),
		unsubscribed: inGroup((group, message) => expel(group, new UsherError(message))),
		join: tellPresence,
		leave: tellPresence,
	};

	/* -- what the application asks -- */

	async function send(name, data, { format, wait } = {}) {
		const ready = () => openSince && (groups.get(name)?.state ?? IN) === IN;
		while (wait && !ready() && state !== "closed") await change();
		await request({ type: "send", group: name, ...pack(data, format) });
	}

	const presence = async (name) => (await request({ type: "presence", group: name })).users;

	function subscribe(name, callback, { since } = {}) {
		const { on: onEvent, emit: emitTo } = createEvents();
		const group = groups.get(name) ?? { name, state: OUT, subs: new Set(), attempts: 0, notBefore: 0 };
		let unclaimed;
		let ending;

		const ready = new Promise((resolve, reject) => {
			onEvent("subscribed", resolve);
			onEvent("end", (error) => reject(error ?? trouble(0, "unsubscribed")));
		});
		ready.catch(() => {}); // who does not look does not care

		const sub = {
			emit: emitTo,
			end(error) {
				if (error) emitTo("unsubscribed", error);
				emitTo("end", error);
			},
		};

		async function unsubscribe() {
			if (!group.subs.delete(sub)) return;
			sub.end();
			flush();
			while (group.state !== OUT && !group.subs.size) await change();
		}

		if (callback) onEvent("message", callback);
		else unclaimed = iterate({ on: onEvent });
		groups.set(name, group);
		group.since ??= since;
		group.subs.add(sub);
		queueMicrotask(() => {
			if (state === "closed") expel(group, trouble(1000, "closed"));
			// Another subscription may have brought us in already.
			else if (group.state === IN && group.subs.has(sub)) emitTo("subscribed", group.answer);
			else flush();
		});

		return {
			group: name,
			ready,
			unsubscribe,
			send: (data, how) => send(name, data, how),
			presence: () => presence(name),
			on: onEvent,
			[Symbol.asyncIterator]() {
				const mine = unclaimed ?? iterate({ on: onEvent });
				unclaimed = undefined;
				return mine;
			},
		};
	}

	const closed = new Promise((resolve) => (resolveClosed = resolve));
	const ticker = setInterval(tick, Math.min(timeout, heartbeat) / 4);
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
		presence,
		refresh: () => refresh("refresh"),
		close: () => finish(),
	};
}

export { connect, UsherError };
