// A telephony panel: the server rings and waits for an answer, and notes go to the web process.

const { get_conf } = require("../../frappe/node_utils");

const NOTES = "/api/method/telephony.note";
const room_of = (user) => `phone:${user}`;

function phones_of(socket, user) {
    const ids = socket.nsp.adapter.rooms.get(room_of(user)) || new Set();
    return [...ids].map((id) => socket.nsp.sockets.get(id));
}

module.exports = function (socket) {
    let calls = 0;

    socket.on("ping", () => socket.emit("phone_alive"));

    socket.on("phone_ready", (reply) => {
        socket.join([room_of(socket.user), "phones"]);
        reply(socket.nsp.name, phones_of(socket, socket.user).length);
    });

    socket.on("phone_call", (user, patience, reply) => {
        const [phone] = phones_of(socket, user);
        if (!phone) return reply({ state: "away" });
        calls += 1;
        phone
            .timeout(patience)
            .emit("phone_ring", { from: socket.user, calls }, (error, answer) => {
                if (error) reply({ state: "missed", why: error.message });
                else reply({ state: "answered", answer });
            });
    });

    // To whoever calls: is it really meant?
    socket.on("phone_confirm", async (number, reply) => {
        reply(number, await socket.emitWithAck("phone_sure", number));
    });

    socket.on("phone_conference", async (users, reply) => {
        const rooms = users.map(room_of);
        const answers = await socket.nsp.to(rooms).timeout(5000).emitWithAck("phone_ring", "all");
        reply(answers.sort());
    });

    // Whoever has answered in time, and whether that is all.
    socket.on("phone_poll", (patience, reply) => {
        socket
            .to("phones")
            .timeout(patience)
            .emit("phone_ring", "poll", (error, answers) =>
                reply({ why: error && error.message, answers: answers.sort() }),
            );
    });

    socket.on("phone_note", async (call, text, reply) => {
        const response = await socket.frappe_request(
            NOTES,
            { call },
            {
                method: "POST",
                headers: { "content-type": "application/json" },
                body: JSON.stringify({ text }),
                signal: AbortSignal.timeout(10000),
                redirect: "manual",
            },
        );
        const { message } = response.ok ? await response.json() : {};
        reply({ ok: response.ok, status: response.status, message });
    });

    socket.on("phone_notes", async (call, reply) => {
        const response = await socket.frappe_request(NOTES, { call });
        reply(JSON.parse(await response.text()).message);
    });

    socket.on("phone_provider", (reply) => reply(get_conf().telephony_provider));

    socket.on("phone_release", (user) => {
        for (const phone of phones_of(socket, user)) phone.disconnect(true);
    });

    socket.on("phone_close", () => socket.nsp.in("phones").disconnectSockets(true));

    // It has gone, and still tells.
    socket.on("disconnect", (reason) => socket.to("all").emit("phone_gone", socket.user, reason));
};
