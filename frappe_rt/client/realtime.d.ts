/** A page's connection to the realtime server: what `frappe.realtime` is in Desk. */

export type State = "idle" | "connecting" | "joining" | "connected" | "waiting" | "refused";
export type Handler = (...args: any[]) => void;
/** Takes a handler off again. */
export type Off = () => void;

export interface RealtimeOptions {
    /** URL of the server. Default: the page's own origin. */
    url?: string;
    /** Name of the site. Default: `frappe.boot.sitename`, else the host name of the page. */
    site?: string;
    /** Default `/socket.io/`. */
    path?: string;
    /** Milliseconds before the first attempt to come back; doubles with each. Default 500. */
    reconnectDelay?: number;
    /** Milliseconds no delay is longer than. Default 10000. */
    reconnectDelayMax?: number;
    /** Each delay is shortened by a random part of up to this, 0 to 1. Default 0.5. */
    jitter?: number;
    /** Milliseconds from opening the WebSocket to the server's answer. Default 20000. */
    connectTimeout?: number;
    /** Class to use where the platform has none, or to set headers. */
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

    connect(): this;
    disconnect(): this;

    on(event: "connect", handler: () => void): Off;
    /** `connect_error` has the server's message; after a refusal the state is `refused`. */
    on(event: "connect_error", handler: (error: Error) => void): Off;
    on(event: "disconnect", handler: (reason: string) => void): Off;
    on(event: string, handler: Handler): Off;
    once(event: string, handler: Handler): Off;
    /** Without a handler: all handlers of the event. */
    off(event: string, handler?: Handler): void;
    /** Each event from the server. */
    onAny(handler: (event: string, ...args: any[]) => void): Off;

    /** A function as the last argument gets the acknowledgement. */
    emit(event: string, ...args: any[]): void;
    /** Rejected when the connection is lost, or after 10 seconds. */
    emitWithAck(event: string, ...args: any[]): Promise<any>;
    /** Milliseconds for a `ping` to the server and its `pong` back. */
    latency(timeout?: number): Promise<number>;

    /** All of these are asked for again after a reconnect. */
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
