/* Every test, in one process. */
await import("./connecting.test.mjs");
await import("./groups.test.mjs");
await import("./reconnecting.test.mjs");
await import("./expiring.test.mjs");
await import("./liveness.test.mjs");
if (process.env.WEBSOCKET !== "native") await import("./package.test.mjs");
