/* Not run: type-checked by package.test.mjs. */
import { connect, UsherError } from "../../listener/web/usher.js";
import type { Message, Usher, Why } from "../../listener/web/usher.js";

interface Saved {
	saved: number;
}

export async function example(): Promise<void> {
	const usher: Usher = connect("wss://example.com/ws", {
		token: async (why: Why) => (why === "wake" ? "fresh" : null),
		carrier: "message",
		attempts: 3,
		backoff: { min: 100 },
		heartbeat: Infinity,
		WebSocket,
	});
	const subscription = usher.subscribe<Saved>("app_7", (data, message) => {
		const saved: number = data.saved;
		const format: "json" | "text" | "binary" = message.format;
		console.log(saved, format);
	});
	const answer = await subscription.ready;
	if (answer.send) await subscription.send({ saved: 7 });
	await subscription.send(Uint8Array.of(1), { wait: true });
	await usher.send("app_7", "text", { format: "text" });
	for await (const message of subscription) {
		const typed: Message<Saved> = message;
		console.log(typed.data.saved, typed.seq);
	}
	for await (const { data } of usher.subscribe("app_8")) console.log(data.anything);
	const off = usher.on("state", (state) => console.log(state === "open"));
	off();
	subscription.on("join", ({ user, username }) => console.log(user, username));
	subscription.on("unsubscribed", (error) => console.log(error?.code, error?.group));
	usher.on("resume", ({ group, recovered }) => console.log(group, recovered));
	const names = (await subscription.presence()).map((one) => one.username);
	console.log(names, (await usher.refresh()).expires_at);
	try {
		await subscription.unsubscribe();
	} catch (error) {
		if (error instanceof UsherError) console.log(error.reason, error.retryAfter);
	}
	usher.close();
	const error = await usher.closed;
	console.log(error?.message, usher.state);

	// @ts-expect-error there is no such event
	usher.on("nothing", () => {});
	// @ts-expect-error there is no such carrier
	connect("wss://example.com/ws", { carrier: "pigeon" });
	// @ts-expect-error the state is told, not set
	usher.state = "open";
	// @ts-expect-error a number is no token
	connect("wss://example.com/ws", { token: () => 7 });
	// @ts-expect-error there is no such member
	console.log(answer.sending);
}
