/** Client of the protocol usher.v1: one WebSocket, many groups. */

/** Why a token is asked for. */
export type Why =
	| "connect" // for the first time
	| "reconnect" // the connection was lost
	| "refused" // the last one was refused, or has expired (4401, 4419)
	| "wake" // the machine has slept, or the page is seen again
	| "expiring" // the one in use is about to expire
	| "refresh"; // refresh() was called

/** What an Authorization header would hold, or the bare credential. */
export type Token = string | null | undefined;

/** The part of the WebSocket API that is used. */
export interface WebSocketLike {
	send(data: string): void;
	close(): void;
	onopen: ((event: any) => any) | null;
	onmessage: ((event: any) => any) | null;
	onerror: ((event: any) => any) | null;
	onclose: ((event: any) => any) | null;
}

export interface Options {
	/** Without one: the browser's cookies, or anonymous. */
	token?: Token | ((why: Why) => Token | Promise<Token>);
	/** How the token travels: as a subprotocol (default), or in the message auth. */
	carrier?: "protocol" | "message";
	/** Connect as nobody when there is no token (and no cookie). */
	anonymous?: boolean;
	/** Refused credentials one after another before the client gives up: 5. */
	attempts?: number;
	/** Milliseconds for connecting, and for the answer to a ping: 15000. */
	timeout?: number;
	/** Milliseconds of silence before the server is pinged: 25000; Infinity: never. */
	heartbeat?: number;
	/** Milliseconds between attempts: doubled from min (250) to max (30000). */
	backoff?: { min?: number; max?: number };
	/** Default: globalThis.WebSocket. */
	WebSocket?: new (url: string, protocols: string[]) => WebSocketLike;
}

/** A message of a durable group: what came up to it has been seen. */
export interface Position {
	seq: number;
	tag: string;
}

export interface Message<T = unknown> {
	group: string;
	data: T;
	format: "json" | "text" | "binary";
	seq?: number;
	tag?: string;
}

export interface Subscribed {
	group: string;
	/** Whether the client may send, as of now. */
	send: boolean;
	presence: boolean;
	/** Of a durable group: its last message as of now. */
	seq?: number;
	tag?: string;
	/** If it was said what was seen last: whether what followed comes now. */
	recovered?: boolean;
}

export interface Welcome {
	user: string | null;
	username: string | null;
	kind: string;
	expires_at: string | null;
	connection: string;
	protocol: number;
}

export interface User {
	user: string;
	username: string | null;
}

export interface SendOptions {
	/** Default: "binary" for bytes, "json" for all else. */
	format?: "json" | "text" | "binary";
	/** Wait for the connection, and the group, instead of being rejected. */
	wait?: boolean;
}

/** Calls it off. */
export type Off = () => void;

export class UsherError extends Error {
	/** As a close code: 4401, 4403, 1006 (no connection), 0 (the token function). */
	readonly code: number;
	/** Stable: "not_allowed", "expired", "disconnected", ... */
	readonly reason: string;
	/** A sentence for people. */
	readonly detail?: string;
	/** If it is about one. */
	readonly group?: string;
	/** Milliseconds after which to try again. */
	readonly retryAfter?: number;
	/** What the token function threw. */
	readonly cause?: unknown;
}

export interface Subscription<T = unknown> extends AsyncIterable<Message<T>> {
	readonly group: string;
	/** The first answer; rejected when the group may not be entered. */
	readonly ready: Promise<Subscribed>;
	/** Resolved when the server has been told. */
	unsubscribe(): Promise<void>;
	send(data: unknown, options?: SendOptions): Promise<void>;
	presence(): Promise<User[]>;
	on(event: "message", listener: (data: T, message: Message<T>) => void): Off;
	/** Each time, also after a reconnect. */
	on(event: "subscribed", listener: (answer: Subscribed) => void): Off;
	/** The end; without an error if it was asked for. */
	on(event: "unsubscribed", listener: (error?: UsherError) => void): Off;
	on(event: "join" | "leave", listener: (who: User & { group: string }) => void): Off;
	/** The answer to presence(). */
	on(event: "presence", listener: (answer: { group: string; users: User[] }) => void): Off;
	[Symbol.asyncIterator](): AsyncGenerator<Message<T>, void, void>;
}

export type State = "connecting" | "open" | "waiting" | "closed";

export interface Usher {
	readonly state: State;
	/** Resolved when it is closed for good: with the error, or undefined after close(). */
	readonly closed: Promise<UsherError | undefined>;
	/** Throws an UsherError when closed. */
	subscribe<T = any>(
		group: string,
		callback?: ((data: T, message: Message<T>) => void) | null,
		options?: { since?: Position },
	): Subscription<T>;
	/** Resolved when it has been committed. */
	send(group: string, data: unknown, options?: SendOptions): Promise<void>;
	/** Ask the token function for a credential and put it in place of the old one. */
	refresh(): Promise<{ expires_at: string | null }>;
	close(): void;
	on(event: "state", listener: (state: State) => void): Off;
	on(event: "welcome", listener: (message: Welcome) => void): Off;
	/** A connection has ended. */
	on(event: "close", listener: (error: UsherError) => void): Off;
	/** Something that is tried again, or the end. */
	on(event: "error", listener: (error: UsherError) => void): Off;
	on(event: "expiring", listener: (message: { in: number; expires_at: string }) => void): Off;
	/**
	 * A group is entered again; or the history of a durable one has changed.
	 * Unless recovered, what was sent meanwhile may be missing.
	 */
	on(
		event: "resume",
		listener: (about: { group: string; recovered?: boolean }) => void,
	): Off;
}

export function connect(url: string | URL, options?: Options): Usher;
