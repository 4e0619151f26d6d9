/*
 * server.mjs
 *	A small server of usher.v1, for the client's tests.
 *
 * It does what protocol.md says as long as nothing goes wrong, remembers what
 * it was sent, and lets a test say what goes wrong: refuse(), the rules of
 * answer(), and the methods of a Peer.
 */
import { createRequire } from "node:module";

/* Debian's package is found by require and NODE_PATH, not by import. */
export const { WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws");

const CREDENTIAL = "usher.auth.";

/* One connection, as the server sees it. */
class Peer {
	constructor(server, socket, request) {
		const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",");
		const carrier = offered.map((one) => one.trim()).find((one) => one.startsWith(CREDENTIAL));
		this.server = server;
		this.socket = socket;
		this.offered = offered.map((one) => one.trim());
		this.cookie = request.headers.cookie;
		this.token = carrier && Buffer.from(carrier.slice(CREDENTIAL.length), "base64url").toString();
		this.got = []; // the messages it sent
		this.groups = new Set();
		this.isSilent = false;
		this.ended = new Promise((resolve) => socket.on("close", (code) => resolve(code)));
		socket.on("message", (text, isBinary) => {
			if (isBinary) throw new Error("a client of usher.v1 sends text");
			this.take(JSON.parse(text));
		});
	}

	say(message) {
		if (!this.isSilent) this.socket.send(JSON.stringify(message));
	}

	/* An error or close message, and the close frame of the same code. */
	close(code, reason, more = {}) {
		this.say({ type: "close", code, reason, detail: "Because.", ...more });
		this.socket.close(code, reason);
	}

	/* Gone without a word. */
	cut() {
		this.socket.terminate();
	}

	welcome(id) {
		this.say({
			type: "welcome",
			id,
			user: this.token ? "42" : null,
			username: this.token ? "bob" : null,
			kind: this.token ? "token" : "anonymous",
			expires_at: null,
			connection: `fake.${this.server.peers.length}`,
			protocol: 1,
		});
	}

	take(message) {
		this.got.push(message);
		this.server.notice();
		if (this.isSilent) return;
		const rule = this.server.rules.find((one) => one.times > 0 && one.matches(message, this));
		if (rule) rule.times--;
		const said = rule?.answers(message, this);
		if (!said) this[`on_${message.type}`](message);
		else for (const one of [said].flat()) this.say({ id: message.id, ...one });
	}

	on_auth({ id, token }) {
		this.token = token;
		this.welcome(id);
	}

	on_subscribe({ id, group, groups = [group] }) {
		for (const one of groups) {
			const { group: name, since } = typeof one === "string" ? { group: one } : one;
			this.groups.add(name);
			const recovered = since ? false : undefined;
			this.say({ type: "subscribed", id, group: name, send: true, presence: true, recovered });
		}
	}

	on_unsubscribe({ id, group, groups = [group] }) {
		for (const name of groups) this.groups.delete(name);
		this.say({ type: "ok", id });
	}

	/* Whoever sends is himself sent the message. */
	on_send({ id, group, data, format }) {
		if (!this.groups.has(group)) {
			this.say({ type: "error", id, group, code: 4403, reason: "not_subscribed", detail: "No." });
			return;
		}
		this.server.broadcast(group, data, format === "json" ? undefined : format);
		this.say({ type: "ok", id });
	}

	on_refresh({ id, token }) {
		this.token = token;
		this.say({ type: "ok", id, expires_at: "2030-01-01T00:00:00Z" });
	}

	on_presence({ id, group }) {
		this.say({ type: "presence", id, group, users: [{ user: "42", username: "bob" }] });
	}

	on_ping({ id }) {
		this.say({ type: "ok", id });
	}
}

export class Server {
	static async start() {
		const server = new Server();
		await server.listen(0);
		return server;
	}

	peers = []; // all there have been
	rules = [];
	refusals = [];
	#watchers = new Set();

	/* Refuse the next connections as usher.v1 does: 101, error, close frame. */
	refuse(times, code, reason, more = {}) {
		this.refusals.push({ times, error: { code, reason, ...more } });
	}

	/*
	 * Messages of a type are answered by what answers() returns, which may be an
	 * array; nothing makes it the usual answer.  { type: "nothing" } is ignored
	 * by clients as every type that they do not know.
	 */
	answer(type, answers, times = Infinity) {
		this.rules.push({ matches: (message) => message.type === type, answers, times });
	}

	broadcast(group, data, format) {
		for (const peer of this.peers)
			if (peer.groups.has(group)) peer.say({ type: "message", group, data, format });
	}

	get peer() {
		return this.peers[this.peers.length - 1];
	}

	/* All messages of a type, over all connections. */
	got(type) {
		return this.peers.flatMap((peer) => peer.got).filter((one) => one.type === type);
	}

	/* Wait until it holds. */
	async until(holds, what = holds.toString(), limit = 5000) {
		let timer;
		const late = new Promise((_, reject) => {
			timer = setTimeout(() => reject(new Error(`not in time: ${what}`)), limit);
		});
		try {
			while (!holds())
				await Promise.race([late, new Promise((resolve) => this.#watchers.add(resolve))]);
		} finally {
			clearTimeout(timer);
		}
	}

	/* The newest connection, when there have been so many. */
	async connection(count) {
		await this.until(() => this.peers.length >= count, `${count} connections`);
		return this.peers[count - 1];
	}

	notice() {
		for (const resolve of this.#watchers) resolve();
		this.#watchers.clear();
	}

	#accept(socket, request) {
		const peer = new Peer(this, socket, request);
		const refusal = this.refusals.find((one) => one.times-- > 0);
		this.peers.push(peer);
		socket.on("close", () => {
			peer.groups.clear();
			this.notice();
		});
		if (refusal) {
			const { error } = refusal;
			peer.say({ type: "error", detail: "Because.", ...error });
			socket.close(error.code, error.reason);
		} else if (peer.token || peer.cookie) peer.welcome();
		this.notice();
	}

	async listen(port) {
		this.sockets = new WebSocketServer({
			host: "127.0.0.1",
			port,
			handleProtocols: (offered) => offered.has("usher.v1") && "usher.v1",
		});
		this.sockets.on("connection", (socket, request) => this.#accept(socket, request));
		await new Promise((resolve) => this.sockets.on("listening", resolve));
		this.port = this.sockets.address().port;
		this.url = `ws://127.0.0.1:${this.port}/ws`;
	}

	async stop() {
		for (const { socket } of this.peers) socket.terminate();
		await new Promise((resolve) => this.sockets.close(resolve));
	}
}
