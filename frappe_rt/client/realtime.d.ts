/** A page's connection to the realtime server: what `frappe.realtime` is in Desk. */

export type State = "idle" | "connecting" | "joining" | "connected" | "waiting" | "refused";
export type Handler = (...args: any[]) => void;
/** Removes one registration of a handler. */
export type Off = () => void;

export interface RealtimeOptions {
    /** URL of the server. Default: the page's own origin. */
    url?: string;
    /** Name of the site. Default: `frappe.boot.sitename`, else the host name of the page. */
    site?: string;
    /** Default `/socket.io/`. */
    path?: string;
    /** Milliseconds before the first attempt to reconnect; doubles with each attempt. Default 500. */
    reconnectDelay?: number;
    /** The longest delay, in milliseconds. Default 10000. */
    reconnectDelayMax?: number;
    /** The largest random part that is taken off a delay, 0 to 1. Default 0.5. */
    jitter?: number;
    /** Milliseconds from opening the WebSocket to the server's answer. Default 20000. */
    connectTimeout?: number;
    /** A class for platforms that have none, or one that sets headers. */
    WebSocket?: new (url: string) => WebSocket;
}

export class RealtimeClient {
    constructor(options?: RealtimeOptions);

    readonly state: State;
    readonly connected: boolean;
    readonly site: string;
    /** The Socket.IO id while connected. */
    readonly id: string | null;
    onstatechange: ((state: State) => void) | null;

    /** Throws when there is no address, site or WebSocket to connect with, and stays as it was. */
    connect(): this;
    disconnect(): this;

    on(event: "connect", handler: () => void): Off;
    /** `connect_error` has the server's message; after a refusal the state is `refused`. */
    on(event: "connect_error", handler: (error: Error) => void): Off;
    on(event: "disconnect", handler: (reason: string) => void): Off;
    on(event: string, handler: Handler): Off;
    once(event: "connect", handler: () => void): Off;
    once(event: "connect_error", handler: (error: Error) => void): Off;
    once(event: "disconnect", handler: (reason: string) => void): Off;
    once(event: string, handler: Handler): Off;
    /**
     * Removes each registration of the handler, by `on` or `once`. Without a handler: all handlers of
     * the event. Without an event: all handlers but those of `onAny`. A removed handler is not called
     * any more, not even for the event that is being handled.
     */
    off(event?: string, handler?: Handler): void;
    /** Each event from the server. Attachments are ArrayBuffers. */
    onAny(handler: (event: string, ...args: any[]) => void): Off;

    /**
     * A function as the last argument gets the acknowledgement. ArrayBuffers, views of them and Blobs
     * become attachments, up to 10. Throws for Socket.IO's own events and for values without JSON.
     */
    emit(event: string, ...args: any[]): void;
    /**
     * Rejects when the connection is lost, or after 10 seconds. An event that has not been sent by then
     * is never sent.
     */
    emitWithAck(event: string, ...args: any[]): Promise<any>;
    /** Milliseconds for a `ping` to the server and its `pong` back. */
    latency(timeout?: number): Promise<number>;

    /** The client repeats these subscriptions after each reconnect. */
    doctype_subscribe(doctype: string): void;
    doctype_unsubscribe(doctype: string): void;
    doc_subscribe(doctype: string, docname: string | number): void;
    doc_unsubscribe(doctype: string, docname: string | number): void;
    doc_open(doctype: string, docname: string | number): void;
    doc_close(doctype: string, docname: string | number): void;
    task_subscribe(task_id: string): void;
    task_unsubscribe(task_id: string): void;
    subscribe(task_id: string, handlers?: { progress?: (message: any) => void }): Off;
}
