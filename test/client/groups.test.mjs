/* Subscriptions, and what comes through them. */
import assert from "node:assert/strict";
import test from "node:test";
import { once, record, refusal, scene, sleep } from "./scene.mjs";

test("a subscription is ready with the server's answer", async (t) => {
	const { usher } = await scene(t);
	const answer = await usher.subscribe("app_7").ready;
	assert.equal(answer.group, "app_7");
	assert.equal(answer.send, true);
	assert.equal(answer.presence, true);
});

test("what is subscribed to in one go is asked in one message", async (t) => {
	const { server, usher } = await scene(t);
	await Promise.all(["app_1", "app_2", "app_3"].map((name) => usher.subscribe(name).ready));
	const more = [usher.subscribe("app_4"), usher.subscribe("app_5")];
	await Promise.all(more.map((one) => one.ready));
	assert.deepEqual(
		server.got("subscribe").map((one) => one.groups),
		[
			["app_1", "app_2", "app_3"],
			["app_4", "app_5"],
		],
	);
});

test("no message names more than 100 groups", async (t) => {
	const { server, usher } = await scene(t);
	const all = Array.from({ length: 250 }, (_, i) => usher.subscribe(`app_${i}`));
	await Promise.all(all.map((one) => one.ready));
	const sizes = () => server.got("subscribe").map((one) => one.groups.length);
	assert.deepEqual(sizes(), [100, 100, 50]);
	await Promise.all(all.map((one) => one.unsubscribe()));
	assert.equal(server.peer.groups.size, 0);
});

test("messages come to the callback of their group, with their facts", async (t) => {
	const { server, usher } = await scene(t);
	const seen = [];
	const other = [];
	const subscription = usher.subscribe("app_7", (data, message) => seen.push([data, message]));
	await subscription.ready;
	await usher.subscribe("app_8", (data) => other.push(data)).ready;
	server.broadcast("app_7", { text: "hi" });
	server.broadcast("app_8", 8);
	await usher.send("app_7", null);
	assert.deepEqual(seen[0][0], { text: "hi" });
	assert.equal(seen[0][1].group, "app_7");
	assert.equal(seen[0][1].format, "json");
	assert.deepEqual(seen[1][0], null);
	assert.deepEqual(other, [8]);
});

test("JSON, text and bytes come as they were sent", async (t) => {
	const { server, usher } = await scene(t);
	const seen = [];
	const subscription = usher.subscribe("app_7", (data, { format }) => seen.push([format, data]));
	const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
	await subscription.ready;
	await subscription.send({ a: [1, "ü"] });
	await subscription.send("text", { format: "text" });
	await subscription.send("json text");
	await subscription.send(bytes);
	await subscription.send(bytes.buffer);
	await subscription.send(new DataView(bytes.buffer, 10, 2));
	await subscription.send("AAE=", { format: "binary" });
	await subscription.send(undefined);
	assert.deepEqual(seen, [
		["json", { a: [1, "ü"] }],
		["text", "text"],
		["json", "json text"],
		["binary", bytes],
		["binary", bytes],
		["binary", Uint8Array.of(10, 11)],
		["binary", Uint8Array.of(0, 1)],
		["json", null],
	]);
	const sent = server.got("send");
	assert.equal(sent[0].format, undefined);
	assert.equal(sent[5].data, "Cgs=");
});

test("iteration gives what came since the subscription began", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.ready;
	for (const data of [1, 2]) server.broadcast("app_7", data);
	await usher.subscribe("app_8").ready; // by now both have come
	const seen = [];
	for await (const { data } of subscription) {
		seen.push(data);
		if (data === 2) server.broadcast("app_7", 3);
		if (data === 3) break;
	}
	assert.deepEqual(seen, [1, 2, 3]);
});

test("iteration ends when one unsubscribes, after what had come", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	const seen = [];
	const ended = (async () => {
		for await (const { data } of subscription) seen.push(data);
	})();
	await subscription.ready;
	server.broadcast("app_7", 1);
	await subscription.send(2);
	await subscription.unsubscribe();
	await ended;
	assert.deepEqual(seen, [1, 2]);
});

test("iteration that begins after the end, ends", async (t) => {
	const { usher } = await scene(t);
	const subscription = usher.subscribe("app_7", () => {});
	await subscription.ready;
	await subscription.unsubscribe();
	for await (const message of subscription) assert.fail(`${message}`);
});

test("iteration throws when one is thrown out, once, after what had come", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	const iterator = subscription[Symbol.asyncIterator]();
	await subscription.ready;
	server.broadcast("app_7", 1);
	server.peer.say({ type: "unsubscribed", group: "app_7", code: 4410, reason: "kicked" });
	assert.equal((await iterator.next()).value.data, 1);
	assert.equal((await refusal(iterator.next())).reason, "kicked");
	assert.equal((await iterator.next()).done, true);
});

test("several iterations each get every message", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7", () => {});
	const two = [subscription[Symbol.asyncIterator](), subscription[Symbol.asyncIterator]()];
	await subscription.ready;
	server.broadcast("app_7", 1);
	const got = await Promise.all(two.map((one) => one.next()));
	assert.deepEqual(got.map(({ value }) => value.data), [1, 1]);
});

test("an iteration left by break keeps nothing and the subscription stays", async (t) => {
	const { server, usher } = await scene(t);
	const seen = [];
	const subscription = usher.subscribe("app_7", (data) => seen.push(data));
	await subscription.ready;
	setTimeout(() => server.broadcast("app_7", 1), 5);
	for await (const message of subscription) if (message) break;
	await subscription.send(2);
	assert.deepEqual(seen, [1, 2]);
});

test("what nobody iterates over is kept up to 1000 messages, the newest", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.ready;
	for (let i = 1; i <= 1500; i++) server.broadcast("app_7", i);
	await usher.subscribe("app_8").ready;
	const { value } = await subscription[Symbol.asyncIterator]().next();
	assert.equal(value.data, 501);
});

test("a slow iteration misses nothing", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	const iterator = subscription[Symbol.asyncIterator]();
	await subscription.ready;
	server.broadcast("app_7", 0);
	assert.equal((await iterator.next()).value.data, 0);
	for (let i = 1; i <= 1500; i++) server.broadcast("app_7", i);
	await usher.subscribe("app_8").ready;
	assert.equal((await iterator.next()).value.data, 1);
});

test("subscriptions to one group share one membership", async (t) => {
	const { server, usher } = await scene(t);
	const [a, b] = [[], []];
	const first = usher.subscribe("app_7", (data) => a.push(data));
	await first.ready;
	const second = usher.subscribe("app_7", (data) => b.push(data));
	assert.equal((await second.ready).group, "app_7");
	await usher.send("app_7", 1);
	await first.unsubscribe();
	await usher.send("app_7", 2);
	assert.deepEqual([a, b], [[1], [1, 2]]);
	assert.equal(server.got("subscribe").length, 1);
	assert.equal(server.got("unsubscribe").length, 0);
	await second.unsubscribe();
	assert.deepEqual(server.got("unsubscribe")[0].groups, ["app_7"]);
});

test("after unsubscribe the callback is not called again", async (t) => {
	const { server, usher } = await scene(t);
	const seen = [];
	const subscription = usher.subscribe("app_7", (data) => seen.push(data));
	await subscription.ready;
	server.broadcast("app_7", 1);
	const left = subscription.unsubscribe();
	await left;
	await subscription.unsubscribe(); // twice is once
	server.broadcast("app_7", 2);
	await usher.subscribe("app_8").ready;
	assert.deepEqual(seen, []);
	assert.equal(server.got("unsubscribe").length, 1);
});

test("unsubscribing while subscribing waits for its turn", async (t) => {
	const { server, usher } = await scene(t);
	await once(usher, "welcome");
	const subscription = usher.subscribe("app_7");
	const { ready } = subscription;
	await Promise.resolve();
	const left = subscription.unsubscribe();
	assert.equal((await refusal(ready)).reason, "unsubscribed");
	await left;
	assert.deepEqual(server.peer.got.map((one) => one.type), ["subscribe", "unsubscribe"]);
});

test("subscribing while unsubscribing comes back in", async (t) => {
	const { server, usher } = await scene(t);
	const seen = [];
	const first = usher.subscribe("app_7");
	await first.ready;
	const left = first.unsubscribe();
	const second = usher.subscribe("app_7", (data) => seen.push(data));
	await Promise.all([left, second.ready]);
	await second.send(1);
	assert.deepEqual(seen, [1]);
	assert.deepEqual(
		server.peer.got.map((one) => one.type),
		["subscribe", "unsubscribe", "subscribe", "send"],
	);
});

test("what was subscribed to and left before the connection is not asked for", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.unsubscribe();
	await usher.subscribe("app_8").ready;
	assert.deepEqual(server.got("subscribe").map((one) => one.groups), [["app_8"]]);
});

test("a group that may not be entered is refused, and the others are not", async (t) => {
	const { server, usher } = await scene(t);
	server.answer("subscribe", () => [
		{ type: "error", group: "app_1", code: 4403, reason: "not_allowed", detail: "You may not." },
		{ type: "subscribed", group: "app_2", send: false, presence: false },
	]);
	const refused = usher.subscribe("app_1");
	const entered = usher.subscribe("app_2");
	const ends = record(refused, "unsubscribed");
	const error = await refusal(refused.ready);
	assert.equal(error.name, "UsherError");
	assert.equal(error.code, 4403);
	assert.equal(error.reason, "not_allowed");
	assert.equal(error.detail, "You may not.");
	assert.equal(error.group, "app_1");
	assert.equal(error.message, "not_allowed: You may not.");
	assert.deepEqual(ends, [error]);
	assert.equal((await entered.ready).send, false);
	assert.equal(server.got("subscribe").length, 1);
});

test("a name that no group can have is refused and harms no others", async (t) => {
	const { server, usher } = await scene(t);
	const names = ["", "app 7", "app,8", "ä_1", "a".repeat(100), "app_1\n", 'a"b'];
	server.answer("subscribe", ({ groups }) =>
		groups.map((group) =>
			names.includes(group)
				? { type: "error", group, code: 4400, reason: "invalid_group" }
				: { type: "subscribed", group, send: true, presence: false },
		),
	);
	const bad = names.map((name) => refusal(usher.subscribe(name).ready));
	await usher.subscribe("app_1.x-Y").ready;
	for (const error of await Promise.all(bad)) assert.equal(error.reason, "invalid_group");
	assert.equal(server.got("subscribe").length, 1);
});

test("an error that names no group is about all that were asked for", async (t) => {
	const { server, usher } = await scene(t);
	server.answer("subscribe", () => ({ type: "error", code: 4400, reason: "bad_member" }));
	const two = ["app_1", "app_2"].map((name) => refusal(usher.subscribe(name).ready));
	assert.deepEqual((await Promise.all(two)).map((error) => error.reason), [
		"bad_member",
		"bad_member",
	]);
});

for (const [code, reason] of [
	[4429, "message_rate"],
	[1013, "database_unavailable"],
	[1011, "internal_error"],
])
	test(`a subscribe that meets ${reason} is tried again after the time given`, async (t) => {
		const { server, usher } = await scene(t);
		const wait = code === 1011 ? undefined : { retry_after_ms: 120 };
		server.answer("subscribe", () => ({ type: "error", code, reason, ...wait }), 1);
		const errors = record(usher, "error");
		const began = Date.now();
		await Promise.all([usher.subscribe("app_1").ready, usher.subscribe("app_2").ready]);
		assert.ok(Date.now() - began >= (wait ? 120 : 15));
		assert.deepEqual(errors.map((error) => error.reason), [reason, reason]);
		assert.deepEqual(server.got("subscribe").map((one) => one.groups.length), [2, 2]);
	});

test("a subscribe that is refused for the moment backs off more and more", async (t) => {
	const { server, usher } = await scene(t, { backoff: { min: 20, max: 1000 } });
	const at = [];
	server.answer("subscribe", () => {
		at.push(Date.now());
		return { type: "error", code: 1013, reason: "overloaded" };
	}, 4);
	await usher.subscribe("app_7").ready;
	const waits = at.slice(1).map((time, i) => time - at[i]);
	assert.ok(waits[0] >= 40 && waits[1] >= 80 && waits[2] >= 160, `${waits}`);
});

test("one group too many is refused at once", async (t) => {
	const { server, usher } = await scene(t);
	server.answer("subscribe", () => ({
		type: "error",
		code: 4429,
		reason: "too_many_groups",
		retry_after_ms: 1000,
	}));
	const error = await refusal(usher.subscribe("app_101").ready);
	assert.equal(error.reason, "too_many_groups");
	assert.equal(error.retryAfter, 1000);
});

test("a group that had been entered is tried again, though there are too many", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.ready;
	const error = { type: "error", code: 4429, reason: "too_many_groups", retry_after_ms: 20 };
	server.answer("subscribe", () => error, 2);
	server.peer.cut();
	await once(subscription, "subscribed");
	assert.equal(server.got("subscribe").length, 4);
});

test("an unsubscribe that meets a limit is tried again", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.ready;
	server.answer("unsubscribe", () => ({ type: "error", code: 4429, reason: "message_rate" }), 1);
	await subscription.unsubscribe();
	assert.equal(server.got("unsubscribe").length, 2);
	assert.equal(server.peer.groups.size, 0);
});

for (const [code, reason] of [
	[4403, "permission_revoked"],
	[4410, "kicked"],
])
	test(`who is thrown out (${reason}) is told, and may come again`, async (t) => {
		const { server, usher } = await scene(t);
		const seen = [];
		const both = [1, 2].map(() => usher.subscribe("app_7", (data) => seen.push(data)));
		const ends = both.map((one) => record(one, "unsubscribed"));
		const resumed = record(usher, "resume");
		await Promise.all(both.map((one) => one.ready));
		server.peer.say({ type: "unsubscribed", group: "app_7", code, reason });
		server.broadcast("app_7", "secret");
		await usher.subscribe("app_8").ready;
		assert.deepEqual(ends.flat().map((error) => [error.code, error.reason, error.group]), [
			[code, reason, "app_7"],
			[code, reason, "app_7"],
		]);
		assert.deepEqual(seen, []);
		assert.equal(server.got("subscribe").length, 2, "it does not come again by itself");
		await usher.subscribe("app_7").ready;
		await both[0].unsubscribe(); // is over; takes nobody else out
		assert.equal(server.got("unsubscribe").length, 0);
		assert.deepEqual(resumed, []);
	});

test("joins and leaves are told, and who is there on request", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	const joins = record(subscription, "join");
	const leaves = record(subscription, "leave");
	const answers = record(subscription, "presence");
	await subscription.ready;
	const who = { group: "app_7", user: "43", username: "eve" };
	server.peer.say({ type: "join", ...who });
	server.peer.say({ type: "leave", ...who });
	assert.deepEqual(await subscription.presence(), [{ user: "42", username: "bob" }]);
	assert.deepEqual([joins[0].user, joins[0].username, joins.length], ["43", "eve", 1]);
	assert.deepEqual([leaves[0].user, leaves.length], ["43", 1]);
	assert.equal(answers.length, 1);
});

test("a category without presence says so", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.ready;
	server.answer("presence", ({ group }) => ({
		type: "error",
		group,
		code: 4403,
		reason: "no_presence",
	}));
	assert.equal((await refusal(subscription.presence())).reason, "no_presence");
});

test("a send is answered by what became of it", async (t) => {
	const { server, usher } = await scene(t);
	await once(usher, "welcome");
	const error = await refusal(usher.send("app_7", 1));
	assert.deepEqual([error.code, error.reason, error.group], [4403, "not_subscribed", "app_7"]);
	await usher.subscribe("app_7").ready;
	server.answer("send", () => ({
		type: "error",
		code: 4429,
		reason: "message_rate",
		retry_after_ms: 70,
	}), 1);
	assert.equal((await refusal(usher.send("app_7", 1))).retryAfter, 70);
	assert.equal(await usher.send("app_7", 1), undefined);
});

test("answers find their questions in any order", async (t) => {
	const { server, usher } = await scene(t);
	await usher.subscribe("app_7").ready;
	const asked = [];
	server.answer("send", ({ id, data }, peer) => {
		asked.unshift({ type: "ok", id, data });
		if (asked.length === 3) for (const one of asked) peer.say(one);
		return { type: "nothing", id: 0 };
	});
	const done = [];
	await Promise.all([1, 2, 3].map((n) => usher.send("app_7", n).then(() => done.push(n))));
	assert.deepEqual(done, [3, 2, 1]);
});

test("a message that cannot be JSON is refused, and no harm", async (t) => {
	const { usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.ready;
	await assert.rejects(subscription.send(1n), TypeError);
	await subscription.send(1);
});

test("types of message that the client does not know are ignored", async (t) => {
	const { server, usher } = await scene(t);
	const subscription = usher.subscribe("app_7");
	await subscription.ready;
	server.peer.say({ type: "tomorrow", group: "app_7" });
	server.peer.say({ type: "toString" });
	server.peer.say({ type: "message", group: "app_9", data: 1 });
	server.peer.say({ hello: "world" });
	await sleep(10);
	await subscription.send(1);
	assert.equal(usher.state, "open");
});
