/* Connecting, and who one is. */
import assert from "node:assert/strict";
import test from "node:test";
import { connect } from "../../listener/web/usher.js";
import { Server, WebSocket as Ws } from "./server.mjs";
import { once, record, refusal, scene, sleep, tokens } from "./scene.mjs";

test("a token travels as a subprotocol, in base64url", async (t) => {
	const token = "Bearer a.b-c_d>?~~";
	const { server, usher } = await scene(t, { token });
	const welcome = await once(usher, "welcome");
	assert.equal(welcome.username, "bob");
	assert.equal(usher.state, "open");
	assert.deepEqual(server.peer.offered, [
		"usher.v1",
		`usher.auth.${Buffer.from(token).toString("base64url")}`,
	]);
	assert.equal(server.peer.token, token);
	assert.deepEqual(server.got("auth"), []);
});

test("a token travels in the first message if that is wanted", async (t) => {
	const { server, usher } = await scene(t, { carrier: "message" });
	assert.equal((await once(usher, "welcome")).kind, "token");
	assert.deepEqual(server.peer.offered, ["usher.v1"]);
	assert.deepEqual(server.peer.got, [{ type: "auth", id: 1, token: "abc" }]);
});

test("a cookie is left to speak for itself", async (t) => {
	class WithCookie extends Ws {
		constructor(url, protocols) {
			super(url, protocols, { headers: { cookie: "sessionid=1" } });
		}
	}
	const { server, usher } = await scene(t, { token: undefined, WebSocket: WithCookie });
	await once(usher, "welcome");
	assert.deepEqual(server.peer.got, []);
});

test("who is nobody on purpose says so", async (t) => {
	const { server, usher } = await scene(t, { token: undefined, anonymous: true });
	assert.equal((await once(usher, "welcome")).user, null);
	assert.deepEqual(server.peer.got, [{ type: "auth", id: 1 }]);
});

test("who is nobody unless a cookie says otherwise is served either way", async (t) => {
	class WithCookie extends Ws {
		constructor(url, protocols) {
			super(url, protocols, { headers: { cookie: "sessionid=1" } });
		}
	}
	const { server, usher } = await scene(t, {
		token: () => null,
		anonymous: true,
		WebSocket: WithCookie,
	});
	server.answer("auth", () => ({ type: "error", code: 4400, reason: "already_authenticated" }));
	const welcomes = record(usher, "welcome");
	await usher.subscribe("app_7").ready;
	assert.equal(welcomes.length, 1);
	assert.equal(server.got("auth").length, 1);
	assert.equal(usher.state, "open");
});

test("the token function is called before each connect", async (t) => {
	const { token, whys } = tokens();
	const { server, usher } = await scene(t, { token: async (why) => token(why) });
	await once(usher, "welcome");
	server.peer.cut();
	await once(usher, "welcome");
	assert.deepEqual(whys, ["connect", "reconnect"]);
	assert.equal(server.peer.token, "t2");
});

test("a token function that fails is asked again, and the failure told", async (t) => {
	const cause = new Error("no network");
	let calls = 0;
	const { usher } = await scene(t, {
		async token() {
			await sleep(1);
			if (++calls < 3) throw cause;
			return "abc";
		},
	});
	const errors = record(usher, "error");
	await once(usher, "welcome");
	assert.deepEqual(
		errors.map((error) => [error.reason, error.code, error.cause]),
		[
			["token_failed", 0, cause],
			["token_failed", 0, cause],
		],
	);
});

test("states are told in order", async (t) => {
	const { server, usher } = await scene(t);
	assert.equal(usher.state, "connecting");
	const states = record(usher, "state");
	await once(usher, "welcome");
	server.peer.cut();
	await once(usher, "welcome");
	usher.close();
	assert.deepEqual(states, ["open", "waiting", "connecting", "open", "closed"]);
});

test("a listener that throws stops neither the client nor the others", async (t) => {
	const { usher } = await scene(t);
	const uncaught = [];
	const listeners = process.rawListeners("unhandledRejection");
	process.removeAllListeners("unhandledRejection");
	process.on("unhandledRejection", (error) => uncaught.push(error.message));
	t.after(() => {
		process.removeAllListeners("unhandledRejection");
		for (const listener of listeners) process.on("unhandledRejection", listener);
	});
	usher.on("welcome", () => {
		throw new Error("of the site");
	});
	const welcomes = record(usher, "welcome");
	await usher.subscribe("app_7").ready;
	await sleep(10);
	assert.equal(welcomes.length, 1);
	assert.deepEqual(uncaught, ["of the site"]);
});

test("a listener that was taken off is not called", async (t) => {
	const { usher } = await scene(t);
	const seen = [];
	const listener = (state) => seen.push(state);
	const off = usher.on("state", listener);
	usher.on("state", listener);
	off();
	await once(usher, "welcome");
	assert.deepEqual(seen, ["open"]);
});

test("http addresses become those of WebSocket", async (t) => {
	const server = await Server.start();
	const usher = connect(server.url.replace("ws:", "http:"), { token: "abc", WebSocket: Ws });
	t.after(async () => {
		usher.close();
		await server.stop();
	});
	await once(usher, "welcome");
});

test("what is no address is refused at once", () => {
	assert.throws(() => connect("somewhere", { WebSocket: Ws }), TypeError);
});

test("an address that WebSocket does not take ends the client", async () => {
	const usher = connect("ftp://127.0.0.1/ws", { WebSocket: Ws });
	const errors = record(usher, "error");
	assert.ok((await usher.closed) instanceof Error);
	assert.equal(usher.state, "closed");
	assert.equal(errors.length, 1);
});

test("closing is final, quiet, and may be repeated", async (t) => {
	const { server, usher } = await scene(t);
	const errors = record(usher, "error");
	await once(usher, "welcome");
	usher.close();
	usher.close();
	assert.equal(await usher.closed, undefined);
	assert.equal(usher.state, "closed");
	assert.deepEqual(errors, []);
	await server.peer.ended;
	await sleep(100);
	assert.equal(server.peers.length, 1);
	assert.equal((await refusal(usher.send("app_7", 1))).reason, "disconnected");
	assert.throws(() => usher.subscribe("app_7"), { reason: "closed" });
});

test("closing while the token is fetched opens no connection", async (t) => {
	let give;
	const { server, usher } = await scene(t, {
		token: () => new Promise((resolve) => (give = resolve)),
	});
	await sleep(0);
	usher.close();
	give("abc");
	await sleep(50);
	assert.equal(server.peers.length, 0);
});
