/*
 * scene.mjs
 *	A server and a client for one test, and what tests look at.
 */
import assert from "node:assert/strict";
import { connect, UsherError } from "../../listener/web/usher.js";
import { Server, WebSocket as Ws } from "./server.mjs";

/* run.sh runs everything once with each WebSocket that there is. */
const isNative = process.env.WEBSOCKET === "native";
export const Socket = isNative ? globalThis.WebSocket : Ws;

const QUICK = { backoff: { min: 10, max: 40 }, timeout: 400 };

export async function scene(t, options = {}) {
	const server = await Server.start();
	// As a site would have it: the native one need not be named.
	const given = isNative ? {} : { WebSocket: Ws };
	const usher = connect(server.url, { ...QUICK, token: "abc", ...given, ...options });
	t.after(async () => {
		usher.close();
		await server.stop();
	});
	return { server, usher };
}

/* A token function that remembers why it was asked; gives "t1", "t2", ... */
export function tokens() {
	const whys = [];
	const token = (why) => `t${whys.push(why)}`;
	return { token, whys };
}

/* All that an event says, in order. */
export function record(emitter, event) {
	const seen = [];
	emitter.on(event, (...values) => seen.push(values[0]));
	return seen;
}

export const once = (emitter, event) =>
	new Promise((resolve) => {
		const off = emitter.on(event, (value) => {
			off();
			resolve(value);
		});
	});

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* What a promise is rejected with, which is to be an UsherError. */
export async function refusal(promise) {
	const error = await promise.then(
		() => assert.fail("it was not refused"),
		(reason) => reason,
	);
	assert.ok(error instanceof UsherError, `${error}`);
	return error;
}

/* Let the clock jump; the returned function puts it right. */
export function jump(t, ms) {
	const real = Date.now;
	Date.now = () => real() + ms;
	t.after(() => {
		Date.now = real;
	});
}
