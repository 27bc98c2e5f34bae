// The types of realtime.js: right uses compile, wrong uses do not, and source and declarations agree.
// tests/lint.sh links the source to build/lint/source.js: beside realtime.d.ts the compiler would
// read the declarations in its place.

import * as source from "../../build/lint/source.js";
import * as declared from "../../frappe_rt/client/realtime.js";
import { RealtimeClient } from "../../frappe_rt/client/realtime.js";
import type { Handler, Off, RealtimeOptions, State } from "../../frappe_rt/client/realtime.js";

// --- source and declarations ---

// Identity: two conditional types are assignable only if what they compare with is identical.
type Test<A> = <T>() => T extends A ? 1 : 2;
type Equal<A, B> = Test<A> extends Test<B> ? true : false;
type Client = source.RealtimeClient;

export const asDeclared: typeof declared = source;
export const sameExports: Equal<keyof typeof source, keyof typeof declared> = true;
export const sameMembers: Equal<keyof Client, keyof RealtimeClient> = true;
type Arity<T> = { [K in keyof T]: T[K] extends (...args: infer A) => any ? A["length"] : "no method" };
export const sameArity: Equal<Arity<Client>, Arity<RealtimeClient>> = true;
type Options = ConstructorParameters<typeof source.RealtimeClient>;
export const sameOptions: Equal<Options, ConstructorParameters<typeof RealtimeClient>> = true;
export const sameStates: Equal<Client["state"], State> = true;

// --- right uses ---

const options: RealtimeOptions = { site: "demo.localhost", jitter: 0, WebSocket };
const client: RealtimeClient = new RealtimeClient(options).connect().disconnect();
new RealtimeClient();

const off: Off = client.on("list_update", (message: { doctype: string }) => message.doctype);
off();
client.on("disconnect", (reason) => reason.toUpperCase());
client.once("connect_error", (error) => error.message);
client.onAny((event, ...args) => event.length + args.length);
const handler: Handler = () => {};
client.once("e", handler);
client.off("e", handler);
client.off("e");
client.off();

client.emit("e", 1, new Uint8Array(1), (answer: string) => answer);
export const answer: Promise<string> = client.emitWithAck("e", { n: 1 });
export const latency: Promise<number> = client.latency(100);
client.onstatechange = (state) => state === "refused";
client.onstatechange = null;

client.doctype_subscribe("ToDo");
client.doc_open("ToDo", 7);
client.subscribe("task", { progress: (message) => message.percent })();

// --- wrong uses ---

// @ts-expect-error: no such option
new RealtimeClient({ host: "demo.localhost" });
// @ts-expect-error: milliseconds are a number
new RealtimeClient({ reconnectDelay: "500" });
// @ts-expect-error: not a class of WebSockets
new RealtimeClient({ WebSocket: class {} });
// @ts-expect-error: no event
client.on(() => {});
// @ts-expect-error: no handler
client.once("e");
// @ts-expect-error: the reason is a string
client.on("disconnect", (reason) => reason.message);
// @ts-expect-error: the error is no string
client.once("connect_error", (error) => error.toUpperCase());
// @ts-expect-error: an event has a name
client.emit(7);
// @ts-expect-error: a promise
client.emitWithAck("e").length;
// @ts-expect-error: no document
client.doc_subscribe("ToDo");
// @ts-expect-error: no such state
client.onstatechange = (state) => state === "open";
// @ts-expect-error: read only
client.state = "idle";
// @ts-expect-error: read only
client.id = "another";
// @ts-expect-error: private
client.socket;
