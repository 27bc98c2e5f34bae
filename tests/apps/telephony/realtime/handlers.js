// A telephony panel: the server rings and waits for an answer, and notes go to the web process.

const room_of = (user) => `phone:${user}`;

function phones_of(socket, user) {
    const ids = socket.nsp.adapter.rooms.get(room_of(user)) || new Set();
    return [...ids].map((id) => socket.nsp.sockets.get(id));
}

module.exports = function (socket) {
    let calls = 0;

    socket.on("phone_ready", (reply) => {
        socket.join(room_of(socket.user));
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

    socket.on("phone_conference", async (users, reply) => {
        const rooms = users.map(room_of);
        const answers = await socket.nsp.to(rooms).timeout(5000).emitWithAck("phone_ring", "all");
        reply(answers.sort());
    });

    socket.on("phone_note", async (call, text, reply) => {
        const response = await socket.frappe_request("/api/method/telephony.note", { call, text });
        reply({ ok: response.ok, status: response.status, ...(await response.json()) });
    });

    socket.on("phone_release", (user) => {
        for (const phone of phones_of(socket, user)) phone.disconnect(true);
    });

    socket.on("disconnect", (reason) => {
        socket.nsp.to("all").emit("phone_gone", socket.user, reason);
    });
};
