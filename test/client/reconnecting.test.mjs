/* How connections end, and what the client does about it. */
import assert from "node:assert/strict";
import test from "node:test";
import { jump, once, record, refusal, scene, sleep, tokens } from "./scene.mjs";

for (const code of [4400, 4403, 4410, 1003, 1007, 1009])
	test(`${code} ends it, with the reason`, async (t) => {
		const { token, whys } = tokens();
		const { server, usher } = await scene(t, { token });
		const subscription = usher.subscribe("app_7");
		const errors = record(usher, "error");
		await subscription.ready;
		server.peer.close(code, "because", { reconnect: false });
		const error = await usher.closed;
		assert.deepEqual([error.code, error.reason, error.detail], [code, "because", "Because."]);
		assert.deepEqual(errors, [error]);
		assert.equal(usher.state, "closed");
		await assert.rejects(subscription[Symbol.asyncIterator]().next(), { reason: "because" });
		await sleep(100);
		assert.equal(server.peers.length, 1);
		assert.deepEqual(whys, ["connect"]);
	});

test("being refused at the door for good ends it, with the server's words", async (t) => {
	const { server, usher } = await scene(t);
	server.refuse(1, 4403, "origin_not_allowed");
	const subscription = usher.subscribe("app_7");
	assert.equal((await refusal(subscription.ready)).reason, "origin_not_allowed");
	const error = await usher.closed;
	assert.deepEqual([error.code, error.detail], [4403, "Because."]);
});

for (const [code, reason] of [
	[1001, "draining"],
	[4430, "too_slow"],
	[4408, "auth_timeout"],
	[4429, "too_many_connections"],
	[1011, "internal_error"],
	[1013, "database_unavailable"],
	[4999, "not known yet"],
])
	test(`after ${code} it comes again, and into its groups`, async (t) => {
		const { token, whys } = tokens();
		const { server, usher } = await scene(t, { token });
		const seen = [];
		const subscription = usher.subscribe("app_7", (data) => seen.push(data));
		const resumed = record(usher, "resume");
		const closes = record(usher, "close");
		const subscribed = record(subscription, "subscribed");
		await subscription.ready;
		server.peer.close(code, reason, { reconnect: true, reconnect_after_ms: 0 });
		await once(usher, "resume");
		await subscription.send(1);
		assert.deepEqual(seen, [1]);
		assert.deepEqual(resumed, [{ group: "app_7", recovered: undefined }]);
		assert.deepEqual(closes.map((error) => [error.code, error.reason]), [[code, reason]]);
		assert.equal(subscribed.length, 2);
		assert.deepEqual(whys, ["connect", "reconnect"]);
	});

test("a connection that breaks off is made anew", async (t) => {
	const { server, usher } = await scene(t);
	const closes = record(usher, "close");
	await usher.subscribe("app_7").ready;
	server.peer.cut();
	await once(usher, "resume");
	assert.deepEqual(closes.map((error) => [error.code, error.reason]), [[1006, "disconnected"]]);
});

test("all groups are entered again in one message, with where they were left", async (t) => {
	const { server, usher } = await scene(t);
	usher.subscribe("app_1", undefined, { since: { seq: 5, tag: "x" } });
	await Promise.all(["app_2", "app_3"].map((name) => usher.subscribe(name).ready));
	const message = { type: "message", group: "app_2", data: 1 };
	server.peer.say({ ...message, seq: 117, tag: "y" });
	await usher.send("app_2", 1);
	const about = record(usher, "resume");
	server.peer.cut();
	await once(usher, "welcome");
	await usher.subscribe("app_4").ready;
	assert.deepEqual(server.got("subscribe").slice(0, 2).map((one) => one.groups), [
		[{ group: "app_1", since: { seq: 5, tag: "x" } }, "app_2", "app_3"],
		[
			{ group: "app_1", since: { seq: 5, tag: "x" } },
			{ group: "app_2", since: { seq: 117, tag: "y" } },
			"app_3",
		],
	]);
	assert.deepEqual(about, [
		{ group: "app_1", recovered: false },
		{ group: "app_2", recovered: false },
		{ group: "app_3", recovered: undefined },
	]);
});

/* A group whose messages are numbered. */
const durable = (group, seq, recovered) => ({
	type: "subscribed", group, send: true, presence: false, seq, tag: `tag${seq}`, recovered,
});

const enters = (server, said) => {
	server.rules = [];
	server.answer("subscribe", (message, peer) => {
		peer.groups.add(said.group);
		return said;
	});
};

test("a durable group is entered again where it was left, also without a message", async (t) => {
	const { server, usher } = await scene(t);
	enters(server, durable("app_1", 7));
	await usher.subscribe("app_1").ready;
	enters(server, durable("app_1", 9, true));
	const about = record(usher, "resume");
	server.peer.cut();
	await once(usher, "resume");
	server.peer.say({ type: "message", group: "app_1", data: 1, seq: 8, tag: "tag8" });
	await usher.send("app_1", 1);
	enters(server, durable("app_1", 12, false));
	server.peer.cut();
	await once(usher, "resume");
	server.peer.cut();
	await once(usher, "resume");
	assert.deepEqual(
		server.got("subscribe").map((one) => one.groups[0].since?.seq),
		[undefined, 7, 8, 12],
	);
	assert.deepEqual(about.map((one) => one.recovered), [true, false, false]);
});

test("a history that has changed is told, and gone on from", async (t) => {
	const { server, usher } = await scene(t);
	enters(server, durable("app_1", 7));
	await usher.subscribe("app_1").ready;
	const about = record(usher, "resume");
	server.peer.say({ type: "reset", group: "app_1", seq: 3, tag: "new3", recovered: false });
	await usher.send("app_1", 1);
	assert.deepEqual(about.map((one) => [one.group, one.recovered]), [["app_1", false]]);
	server.peer.cut();
	await once(usher, "resume");
	assert.deepEqual(server.got("subscribe").at(-1).groups, [
		{ group: "app_1", since: { seq: 3, tag: "new3" } },
	]);
});

test("what is unsubscribed while there is no connection is not entered again", async (t) => {
	const { server, usher } = await scene(t);
	const [one, two] = [usher.subscribe("app_1"), usher.subscribe("app_2")];
	await Promise.all([one.ready, two.ready]);
	usher.on("close", () => one.unsubscribe());
	server.peer.cut();
	await once(usher, "resume");
	assert.deepEqual(server.peer.got.map(({ groups }) => groups), [["app_2"]]);
});

test("a subscription that is refused after a reconnect ends with that", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.ready;
	server.answer("subscribe", ({ groups: [group] }) => ({
		type: "error",
		group,
		code: 4403,
		reason: "not_allowed",
	}));
	server.peer.cut();
	const error = await once(subscription, "unsubscribed");
	assert.equal(error.reason, "not_allowed");
	assert.equal(usher.state, "open");
});

test("what was not answered when the connection ended is rejected", async (t) => {
	const { server, usher } = await scene(t);
	await usher.subscribe("app_7").ready;
	server.answer("send", (message, peer) => {
		peer.cut();
		return { type: "nothing" };
	}, 1);
	const error = await refusal(usher.send("app_7", 1));
	assert.deepEqual([error.code, error.reason], [1006, "disconnected"]);
});

test("what is sent without a connection is rejected", async (t) => {
	const { server, usher } = await scene(t);
	assert.equal((await refusal(usher.send("app_7", 1))).reason, "disconnected");
	const subscription = usher.subscribe("app_7");
	assert.equal((await refusal(subscription.presence())).reason, "disconnected");
	assert.equal((await refusal(usher.refresh())).reason, "disconnected");
	await subscription.ready;
	assert.deepEqual(server.peer.got.map((one) => one.type), ["subscribe"]);
});

test("what is sent with wait is sent once the group is entered", async (t) => {
	const { server, usher } = await scene(t);
	const seen = [];
	const subscription = usher.subscribe("app_7", (data) => seen.push(data));
	await subscription.send(1, { wait: true });
	server.peer.cut();
	await once(usher, "close");
	await Promise.all([2, 3].map((n) => usher.send("app_7", n, { wait: true })));
	assert.deepEqual(seen, [1, 2, 3]);
});

test("what waits to be sent when all is closed is rejected", async (t) => {
	const { server, usher } = await scene(t);
	server.refuse(1, 4403, "origin_not_allowed");
	assert.equal((await refusal(usher.send("app_7", 1, { wait: true }))).reason, "disconnected");
});

test("pauses grow, are jittered, and stay below the greatest", async (t) => {
	const { server, usher } = await scene(t, { backoff: { min: 40, max: 160 } });
	const at = [];
	server.refuse(5, 1013, "overloaded");
	usher.on("state", (state) => {
		if (state === "waiting" || state === "connecting") at.push(Date.now());
	});
	await once(usher, "welcome");
	const waits = [];
	for (let i = 0; i + 1 < at.length; i += 2) waits.push(at[i + 1] - at[i]);
	assert.equal(waits.length, 5);
	[40, 80, 160, 160, 160].forEach((full, i) => {
		assert.ok(waits[i] >= full / 2 - 2 && waits[i] <= full + 60, `${waits}`);
	});
	assert.ok(new Set(waits).size > 1, `not jittered: ${waits}`);
});

test("a server that says when to come again is obeyed", async (t) => {
	const { server, usher } = await scene(t);
	await once(usher, "welcome");
	const began = Date.now();
	server.peer.close(1001, "draining", { reconnect: true, reconnect_after_ms: 200 });
	await once(usher, "welcome");
	assert.ok(Date.now() - began >= 195);
	const again = Date.now();
	server.refuse(1, 4429, "too_many_connections", { retry_after_ms: 200 });
	server.peer.cut();
	await once(usher, "welcome");
	assert.ok(Date.now() - again >= 195);
});

test("a server that greets and hangs up is not hammered", async (t) => {
	const { server, usher } = await scene(t, { backoff: { min: 20, max: 2000 } });
	usher.on("welcome", () => server.peer.cut());
	await sleep(500);
	assert.ok(server.peers.length >= 3 && server.peers.length <= 7, `${server.peers.length}`);
});

test("after a connection that lasted, pauses begin anew", async (t) => {
	const { server, usher } = await scene(t, { backoff: { min: 20, max: 20000 } });
	server.refuse(4, 1013, "overloaded");
	await once(usher, "welcome");
	jump(t, 6000);
	const began = process.hrtime.bigint();
	server.peer.cut();
	await once(usher, "welcome");
	assert.ok(process.hrtime.bigint() - began < 150_000_000n);
});

for (const code of [4401, 4419])
	test(`after ${code} another credential is asked for`, async (t) => {
		const { token, whys } = tokens();
		const { server, usher } = await scene(t, { token });
		server.refuse(2, code, "of the credential");
		await usher.subscribe("app_7").ready;
		server.peer.close(code, "of the credential", { reconnect: code === 4419 });
		await once(usher, "resume");
		assert.deepEqual(whys, ["connect", "refused", "refused", "refused"]);
		assert.equal(server.peer.token, "t4");
	});

for (const carrier of ["protocol", "message"])
	test(`refused credentials are tried a few times, with pauses (${carrier})`, async (t) => {
		const { token, whys } = tokens();
		const { server, usher } = await scene(t, {
			token,
			carrier,
			attempts: 4,
			backoff: { min: 40, max: 1000 },
		});
		const refuse = { type: "error", code: 4401, reason: "unknown_token" };
		if (carrier === "protocol") server.refuse(Infinity, 4401, "unknown_token");
		else
			server.answer("auth", ({ id }, peer) => {
				peer.say({ ...refuse, id });
				peer.close(4401, "unknown_token", { reconnect: false });
				return { type: "nothing" };
			});
		const began = Date.now();
		const error = await usher.closed;
		assert.deepEqual([error.code, error.reason], [4401, "unknown_token"]);
		assert.deepEqual(whys, ["connect", "refused", "refused", "refused"]);
		assert.equal(server.peers.length, 4);
		assert.ok(Date.now() - began >= 20 + 40 + 80);
	});

for (const [what, token] of [
	["a token that is given once", "abc"],
	["a cookie", undefined],
])
	test(`${what}, refused, is not tried again`, async (t) => {
		const { server, usher } = await scene(t, { token });
		server.refuse(1, 4401, "unknown_token");
		assert.equal((await usher.closed).reason, "unknown_token");
		await sleep(100);
		assert.equal(server.peers.length, 1);
	});

test("who has nothing to show, and is not waited for, stops", async (t) => {
	const { server, usher } = await scene(t, { token: undefined });
	const peer = await server.connection(1);
	peer.close(4408, "auth_timeout", { reconnect: true });
	assert.equal((await usher.closed).code, 4408);
});

test("a server that is not there is tried until it is", async (t) => {
	const { server, usher } = await scene(t);
	await usher.subscribe("app_7").ready;
	const { port } = server;
	await server.stop();
	await once(usher, "close");
	await once(usher, "close");
	await server.listen(port);
	await once(usher, "resume");
});

test("what is not JSON ends it", async (t) => {
	const { server, usher } = await scene(t);
	await once(usher, "welcome");
	server.peer.socket.send("<html>");
	const error = await usher.closed;
	assert.deepEqual([error.code, error.reason], [1007, "invalid_message"]);
	assert.ok(error.cause instanceof SyntaxError);
});
