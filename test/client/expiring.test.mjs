/* Credentials that run out while one is connected. */
import assert from "node:assert/strict";
import test from "node:test";
import { once, record, refusal, scene, sleep, tokens } from "./scene.mjs";

const expiring = (seconds) => ({
	type: "expiring",
	in: seconds,
	expires_at: "2030-01-01T00:00:00Z",
});

test("a credential about to expire is replaced without a new connection", async (t) => {
	const { token, whys } = tokens();
	const { server, usher } = await scene(t, { token });
	const told = record(usher, "expiring");
	await once(usher, "welcome");
	server.peer.say(expiring(60));
	await server.until(() => server.got("refresh").length === 1);
	assert.deepEqual(whys, ["connect", "expiring"]);
	assert.equal(server.got("refresh")[0].token, "t2");
	assert.equal(told[0].in, 60);
	assert.equal(server.peers.length, 1);
});

test("a credential that cannot be replaced is only told about", async (t) => {
	const { server, usher } = await scene(t);
	await once(usher, "welcome");
	server.peer.say(expiring(60));
	await once(usher, "expiring");
	await sleep(50);
	assert.equal(server.got("refresh").length, 0);
});

test("credentials that always live short are not replaced in a tight loop", async (t) => {
	const { token } = tokens();
	const { server, usher } = await scene(t, { token });
	server.answer("refresh", (message, peer) => {
		peer.say({ type: "ok", id: message.id, expires_at: "2030-01-01T00:00:00Z" });
		return expiring(1);
	});
	await once(usher, "welcome");
	server.peer.say(expiring(1));
	await sleep(1300);
	assert.equal(server.got("refresh").length, 2);
});

test("a refresh that fails is told, and tried again", async (t) => {
	const { token } = tokens();
	const { server, usher } = await scene(t, { token });
	const errors = record(usher, "error");
	server.answer("refresh", () => ({
		type: "error",
		code: 1013,
		reason: "database_unavailable",
		retry_after_ms: 50,
	}), 2);
	await once(usher, "welcome");
	server.peer.say(expiring(60));
	await server.until(() => server.got("refresh").length === 3);
	assert.deepEqual(errors.map((error) => error.reason), [
		"database_unavailable",
		"database_unavailable",
	]);
	assert.equal(usher.state, "open");
});

test("a refresh that is under way when the connection ends is forgotten", async (t) => {
	const { token, whys } = tokens();
	const { server, usher } = await scene(t, { token });
	const errors = record(usher, "error");
	server.answer("refresh", (message, peer) => {
		peer.cut();
		return { type: "nothing" };
	}, 1);
	await once(usher, "welcome");
	server.peer.say(expiring(60));
	await once(usher, "welcome");
	await sleep(50);
	assert.deepEqual(errors, []);
	assert.deepEqual(whys, ["connect", "expiring", "reconnect"]);
});

test("one may refresh at any time", async (t) => {
	const { token, whys } = tokens();
	const { server, usher } = await scene(t, { token });
	await once(usher, "welcome");
	assert.equal((await usher.refresh()).expires_at, "2030-01-01T00:00:00Z");
	assert.deepEqual(whys, ["connect", "refresh"]);
	server.answer("refresh", () => ({ type: "error", code: 4403, reason: "user_mismatch" }));
	assert.equal((await refusal(usher.refresh())).reason, "user_mismatch");
	assert.equal(usher.state, "open");
});

test("a token function that fails on refresh says so", async (t) => {
	let calls = 0;
	const { usher } = await scene(t, {
		async token() {
			if (calls++) throw new Error("logged out");
			return "abc";
		},
	});
	await once(usher, "welcome");
	const error = await refusal(usher.refresh());
	assert.equal(error.reason, "token_failed");
	assert.equal(error.cause.message, "logged out");
});
