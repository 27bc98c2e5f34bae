// A document that several edit: binary updates relayed to a room, and who is there.

const room_of = (name) => `document:${name}`;
const updates = new Map(); // name -> Buffers, in the order in which they came

function announce(socket, name) {
    const members = Array.from(socket.nsp.adapter.rooms.get(room_of(name)) || []);
    const people = [];
    socket.nsp.sockets.forEach((other) => {
        if (members.includes(other.id)) people.push([other.user, other.document_color]);
    });
    socket.nsp.to(room_of(name)).emit("document_people", { name, people: people.sort() });
}

module.exports = function (socket) {
    socket.on("document_open", async (name, color, reply) => {
        await socket.has_permission("Document", name);
        socket.document_name = name;
        socket.document_color = color;
        socket.join(room_of(name));
        announce(socket, name);
        reply(...(updates.get(name) || []));
    });

    socket.on("document_update", (update, details, reply) => {
        const name = socket.document_name;
        if (!Buffer.isBuffer(update) || !name) return reply({ error: "no document or no bytes" });
        updates.set(name, [...(updates.get(name) || []), update]);
        socket.to(room_of(name)).emit("document_update", { name, update, details });
        reply({ bytes: update.length });
    });

    socket.on("document_sizes", (reply) => {
        const sizes = (updates.get(socket.document_name) || []).map((update) => update.length);
        reply(new Uint8Array(sizes), Uint16Array.from(sizes).buffer);
    });

    socket.on("document_close", (reply) => {
        const name = socket.document_name;
        delete socket.document_name;
        socket.leave(room_of(name));
        announce(socket, name);
        reply(name);
    });

    // Its rooms are left by now.
    socket.on("disconnect", () => {
        if (socket.document_name) announce(socket, socket.document_name);
    });
};
