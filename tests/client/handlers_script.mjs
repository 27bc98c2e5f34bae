// What clients do with the sample apps, and what each of them gets to see: the same script for
// every server, so that transcripts can be compared.

import { next, record, within } from "./support.mjs";

/** Text for what JSON cannot show: binary values, and errors. */
function shown(value) {
    if (Buffer.isBuffer(value)) return `bytes ${value.toString("hex")}`;
    if (Array.isArray(value)) return value.map(shown);
    if (typeof value === "function") return "an acknowledgement";
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shown(item)]));
}

class Scene {
    constructor(server) {
        this.server = server;
        this.transcript = [];
        this.clients = {};
    }

    async enter(sid, options) {
        const client = await this.server.join(sid, options);
        client.heard = record(client, ["chat_alive", "pong"]);
        client.on("disconnect", (reason) => client.heard.push(["disconnect", reason]));
        this.clients[sid] = client;
        return client;
    }

    /** Emits and waits for the answer, which is part of the transcript. */
    async ask(client, ...args) {
        const answer = new Promise((done) => client.emit(...args, (...answer) => done(answer)));
        this.transcript.push([`answer to ${args[0]}`, shown(await within(args[0], answer))]);
    }

    /** Notes what each client has heard, once everything so far has been answered. */
    async note(step) {
        for (let round = 0; round < 2; round++)
            for (const client of Object.values(this.clients)) {
                if (!client.connected) continue;
                client.emit("ping");
                await next(client, "chat_alive");
            }
        const heard = Object.entries(this.clients).map(([sid, client]) => [
            sid,
            shown(client.heard.splice(0)),
        ]);
        this.transcript.push([step, Object.fromEntries(heard)]);
    }
}

async function chat(scene, { ada, grace, customer }) {
    await scene.ask(ada, "chat_join", "general");
    await scene.ask(grace, "chat_join", "general");
    await scene.ask(grace, "chat_join", "random");
    await scene.note("joined");
    await scene.ask(ada, "chat_say", "general", "héllo \u2028 😀");
    await scene.ask(ada, "chat_say", "general", {
        nested: [1.5, null, true, { deep: "x".repeat(70000) }],
    });
    await scene.ask(customer, "chat_say", "general", "not in it");
    await scene.note("said");
    ada.emit("chat_invite", "general");
    ada.emit("chat_shout", ["general", "random", "empty"], "to each once");
    ada.emit("nobody listens to this", 1);
    await scene.note("shouted");
    for (let n = 0; n < 2; n++) customer.emit("chat_once");
    await scene.ask(ada, "chat_leave", "general");
    await scene.ask(ada, "chat_leave", "general");
    await scene.note("left");
}

export async function write(scene, { ada, grace, customer }) {
    await scene.ask(ada, "document_update", Buffer.from([1]), null);
    await scene.ask(ada, "document_open", "D-1", "red");
    await scene.ask(ada, "document_update", Buffer.from([0, 255, 10, 13]), {
        marks: [Buffer.from("m")],
    });
    await scene.ask(grace, "document_open", "D-1", "blue");
    await scene.ask(grace, "document_update", Buffer.alloc(0), { none: null });
    await scene.ask(grace, "document_update", Buffer.alloc(100000, 7), 3);
    await scene.ask(ada, "document_update", "text", {});
    await scene.ask(ada, "document_sizes");
    // Whoever opened it would hear who is there; a Python handler's refusal is an empty answer.
    customer.emit(
        "document_open",
        "secret",
        "black",
        (...answer) => answer.length && scene.transcript.push("opened the secret"),
    );
    await scene.note("written");
    grace.emit("document_close");
    await scene.note("closed");
}

async function phone(scene, { ada, grace, customer }) {
    grace.once("phone_ring", (call, answer) => answer(`hello ${call.from}`));
    customer.on(
        "phone_ring",
        (call, answer) => call === "all" && answer("customer here", "and more"),
    );
    await scene.ask(ada, "phone_call", "grace", 3000);
    for (const client of [grace, customer]) await scene.ask(client, "phone_ready");
    await scene.ask(ada, "phone_call", "grace", 3000);
    await scene.ask(ada, "phone_call", "customer", 100);
    grace.once("phone_ring", (call, answer) => answer("grace here"));
    await scene.ask(ada, "phone_conference", ["grace", "customer"]);
    await scene.ask(ada, "phone_conference", ["nobody"]);
    await scene.ask(ada, "phone_note", "call 1 & 2", "ünote");
    await scene.note("called");
}

async function leave(scene, { ada, grace, customer }) {
    const released = [next(ada, "phone_gone"), next(grace, "disconnect")];
    ada.emit("phone_release", "grace");
    await Promise.all(released);
    await scene.note("released");
    const lost = next(ada, "phone_gone");
    customer.io.engine.close();
    await lost;
    await scene.note("lost");
    const again = await scene.enter("customer");
    await scene.ask(again, "document_open", "D-1", "green");
    await scene.note("back");
    const alone = next(again, "document_people");
    ada.disconnect();
    await alone;
    await scene.note("gone");
}

/** The transcript of all of it, or of some acts. */
export async function play(server, options, acts = [chat, write, phone, leave]) {
    const scene = new Scene(server);
    const people = {};
    for (const sid of ["ada", "grace", "customer"]) people[sid] = await scene.enter(sid, options);
    for (const act of acts) await act(scene, people);
    return scene.transcript;
}
