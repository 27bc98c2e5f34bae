"""A chat: rooms, messages to the others in one, acknowledgements, presence."""

from frappe_rt.handlers import Socket, SyncSocket, realtime

said = 0


@realtime.on("connect")
async def connect(socket: Socket) -> None:
    await socket.set("rooms", [])


@realtime.on("chat_enter")
async def enter(socket: Socket, room: str) -> list[str]:
    """Answers with the users in the room."""
    if room not in socket.get("rooms"):
        await socket.join(f"chat:{room}")
        await socket.set("rooms", [*socket.get("rooms"), room])
        entered = {"room": room, "user": socket.user}
        await socket.emit("chat_entered", entered, room=f"chat:{room}", skip_sid=socket.sid)
    users = [await socket.user_of(sid) for sid in socket.participants(f"chat:{room}")]
    return sorted({user for user in users if user})


@realtime.on("chat_say")
def say(socket: SyncSocket, room: str, text: str | bytes) -> dict[str, object]:
    """In Frappe's own words: to each of the others by its sid, which is a room as well."""
    global said
    others = socket.participants(f"chat:{room}")
    if socket.sid not in others:
        return {"ok": False, "why": f"not in {room}"}
    for sid in others:
        if sid != socket.sid:
            socket.emit("chat_said", {"user": socket.user, "text": text}, room=sid)
    said += 1
    return {"ok": True, "number": said}


@realtime.on("chat_open")
async def open_document(socket: Socket, doctype: str, name: str) -> bool:
    """A room beside a document, for those who may read it."""
    if not await socket.has_permission(doctype, name):
        return False
    await socket.join(f"chat:{doctype}/{name}")
    return True


@realtime.on("disconnect")
async def disconnect(socket: Socket) -> None:
    for room in socket.get("rooms", []):
        left = {"room": room, "user": socket.user}
        await socket.emit("chat_left", left, room=f"chat:{room}")
