/* Links that are dead and do not say so; sleep. */
import assert from "node:assert/strict";
import test from "node:test";
import { jump, once, record, scene, sleep, tokens } from "./scene.mjs";

test("a server that does not answer the connection is given up after a time", async (t) => {
	const { server, usher } = await scene(t, { token: undefined, timeout: 100 });
	const closes = record(usher, "close");
	await server.connection(2);
	assert.deepEqual([closes[0].code, closes[0].reason], [1006, "timeout"]);
});

test("silence is met with a ping, and an answer is enough", async (t) => {
	const { server, usher } = await scene(t, { heartbeat: 50, timeout: 100 });
	await usher.subscribe("app_7").ready;
	await sleep(500);
	assert.ok(server.got("ping").length >= 2);
	assert.equal(server.peers.length, 1);
	assert.equal(usher.state, "open");
});

test("a server that talks is not pinged", async (t) => {
	const { server, usher } = await scene(t, { heartbeat: 150, timeout: 100 });
	await usher.subscribe("app_7").ready;
	const talk = setInterval(() => server.broadcast("app_7", 1), 20);
	t.after(() => clearInterval(talk));
	await sleep(400);
	assert.equal(server.got("ping").length, 0);
});

test("a link that has died is noticed and replaced", async (t) => {
	const { server, usher } = await scene(t, { heartbeat: 50, timeout: 100 });
	const subscription = usher.subscribe("app_7");
	const closes = record(usher, "close");
	await subscription.ready;
	server.peer.isSilent = true;
	await once(usher, "resume");
	assert.deepEqual([closes[0].code, closes[0].reason], [1006, "timeout"]);
	await subscription.send(1);
});

test("what a link says after it was given up is not heard", async (t) => {
	const { server, usher } = await scene(t, { heartbeat: 50, timeout: 100 });
	const seen = [];
	await usher.subscribe("app_7", (data) => seen.push(data)).ready;
	const old = server.peer;
	old.isSilent = true;
	await once(usher, "close");
	old.socket.send(JSON.stringify({ type: "message", group: "app_7", data: "late" }));
	await once(usher, "resume");
	await usher.send("app_7", 1);
	assert.deepEqual(seen, [1]);
});

test("after sleep it connects at once, with a fresh credential", async (t) => {
	const { token, whys } = tokens();
	const { server, usher } = await scene(t, { token, timeout: 200 });
	const seen = [];
	const closes = record(usher, "close");
	await usher.subscribe("app_7", (data) => seen.push(data)).ready;
	server.peer.isSilent = true; // as one that a firewall has forgotten
	jump(t, 3600000);
	await once(usher, "resume");
	assert.deepEqual(whys, ["connect", "wake"]);
	assert.equal(closes[0].reason, "slept");
	await usher.send("app_7", 1);
	assert.deepEqual(seen, [1]);
});

test("after sleep a pause is not waited for", async (t) => {
	const { token, whys } = tokens();
	const { server, usher } = await scene(t, { token, timeout: 200 });
	await once(usher, "welcome");
	server.peer.close(1001, "draining", { reconnect: true, reconnect_after_ms: 60000 });
	await once(usher, "close");
	jump(t, 3600000);
	await once(usher, "welcome");
	assert.deepEqual(whys, ["connect", "wake"]);
});

test("after sleep a token that never came is asked for again", async (t) => {
	const whys = [];
	const { server } = await scene(t, {
		timeout: 200,
		token: (why) => (whys.push(why) === 1 ? new Promise(() => {}) : "abc"),
	});
	await sleep(10);
	jump(t, 3600000);
	await server.connection(1);
	assert.deepEqual(whys, ["connect", "wake"]);
});

test("timers of a hidden page, once a minute, are no sleep", async (t) => {
	const { server, usher } = await scene(t, { timeout: 200 });
	await once(usher, "welcome");
	jump(t, 61000);
	await server.until(() => server.got("ping").length === 1);
	await sleep(100);
	assert.equal(server.peers.length, 1);
});

/* A window, as far as the client looks at one. */
function fakeWindow(t) {
	const target = new EventTarget();
	const listeners = { added: 0 };
	globalThis.addEventListener = (name, listener) => {
		listeners.added++;
		target.addEventListener(name, listener);
	};
	globalThis.removeEventListener = (name, listener) => {
		listeners.added--;
		target.removeEventListener(name, listener);
	};
	t.after(() => {
		delete globalThis.addEventListener;
		delete globalThis.removeEventListener;
	});
	return { listeners, fire: (name) => target.dispatchEvent(new Event(name)) };
}

for (const event of ["visibilitychange", "online"])
	test(`${event} ends a pause`, async (t) => {
		const page = fakeWindow(t);
		const { token, whys } = tokens();
		const { server, usher } = await scene(t, { token });
		await once(usher, "welcome");
		server.peer.close(1013, "overloaded", { reconnect: true, reconnect_after_ms: 60000 });
		await once(usher, "close");
		page.fire(event);
		page.fire(event);
		await once(usher, "welcome");
		assert.deepEqual(whys, ["connect", "wake"]);
		assert.equal(server.peers.length, 2);
	});

test("a page that is seen again finds out at once whether its link is dead", async (t) => {
	const page = fakeWindow(t);
	const { server, usher } = await scene(t);
	await usher.subscribe("app_7").ready;
	page.fire("visibilitychange");
	await server.until(() => server.got("ping").length === 1);
	await sleep(300);
	assert.equal(server.peers.length, 1, "it was answered");
	server.peer.isSilent = true;
	page.fire("visibilitychange");
	await once(usher, "resume");
	assert.equal(server.peers.length, 2);
});

test("a closed client leaves nothing behind on the page", async (t) => {
	const page = fakeWindow(t);
	const { usher } = await scene(t);
	assert.equal(page.listeners.added, 2);
	await once(usher, "welcome");
	usher.close();
	assert.equal(page.listeners.added, 0);
});
