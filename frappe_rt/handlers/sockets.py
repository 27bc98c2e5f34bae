"""What a handler gets: `Socket`, awaited, and `SyncSocket` for plain functions.

They have the methods of Socket in Frappe's develop branch (since June 2026), and in addition `call`
and the `skip_sid` of `emit`, named as in python-socketio. Apps may keep both and use them on any
thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from frappe_rt.handlers.link import Closed, Line, Link
from frappe_rt.handlers.wire import (
    decode_arguments,
    dumps,
    encode_arguments,
    from_arguments,
    to_arguments,
)
from frappe_rt.seconds import check_seconds

GUEST = "Guest"
#: Seconds for a client to acknowledge: the default and the maximum.
CALL_SECONDS = 30.0


class Session:
    """What the host knows about one socket of a client."""

    __slots__ = (
        "data",
        "early",
        "gone",
        "id",
        "installed_apps",
        "link",
        "namespace",
        "plain",
        "sid",
        "site",
        "socket",
        "user",
        "user_type",
    )

    def __init__(self, link: Link, told: Line, all_apps: list[str]) -> None:
        self.link = link
        self.sid: str = told["s"]
        self.id = dumps(self.sid)  # as JSON, for lines
        self.namespace: str = told["ns"]
        self.site: str = told.get("site") or self.namespace[1:]
        self.user: str = told.get("user") or GUEST
        self.user_type: str = told.get("type") or ""
        apps = told.get("apps")
        self.installed_apps: list[str] = all_apps if apps is None else apps
        self.data: dict[str, Any] = {}
        self.gone = False
        #: Events that wait for the end of its connect handlers; None if none of these runs.
        self.early: list[tuple[Any, bool]] | None = None
        self.socket = Socket(self)
        self.plain = SyncSocket(self)


class _Base:
    """The common part: the properties, and the lines that the methods send."""

    __slots__ = ("__dict__", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.sid} of {self.user} at {self.site}>"

    @property
    def sid(self) -> str:
        return self._session.sid

    @property
    def namespace(self) -> str:
        """``/`` and the site."""
        return self._session.namespace

    @property
    def site(self) -> str:
        return self._session.site

    @property
    def user(self) -> str:
        """The logged-in user, or ``Guest``."""
        return self._session.user

    @property
    def user_type(self) -> str:
        """``System User``, ``Website User`` or a custom type of the site; "" if unknown."""
        return self._session.user_type

    @property
    def installed_apps(self) -> list[str]:
        """The installed apps of its site. Frappe 15 does not list them: then all apps of the
        bench."""
        return self._session.installed_apps

    def get(self, key: str, default: Any = None) -> Any:
        """The value that was `set` for this socket."""
        return self._session.data.get(key, default)

    def participants(self, room: str) -> list[str]:
        """The sids in a room of this site, without those at other servers of the same Redis."""
        return [sid for sid, _ in self._get_members(room)]

    def _get_members(self, room: str) -> list[tuple[str, str]]:
        try:
            answer = self._session.link.ask_and_wait(b"participants", self._in_room(room))
        except Closed:
            return []
        return answer.get("sockets") or []

    def _in_room(self, room: str) -> bytes:
        return b'"ns":%b,"r":%b' % (dumps(self.namespace), dumps(str(room)))

    def _join_or_leave(self, op: bytes, room: str) -> None:
        session = self._session
        if not session.gone:
            session.link.send(b'{"op":"%b","s":%b,"r":%b}\n' % (op, session.id, dumps(str(room))))

    def _emit(self, event: str, data: Any, room: str | None, skip: Any) -> None:
        session = self._session
        what = b'"e":%b,%b}\n' % (dumps(event), encode_arguments(to_arguments(data)))
        if room:
            left_out = b""
            if skip:
                sids = [skip] if isinstance(skip, str) else list(skip)
                left_out = b'"x":%b,' % dumps(sids)
            to = b'"ns":%b,"r":%b,' % (dumps(session.namespace), dumps([str(room)]))
            session.link.send(b'{"op":"emit",' + to + left_out + what)
        elif not session.gone:
            session.link.send(b'{"op":"emit","s":%b,' % session.id + what)

    def _question(self, doctype: str, name: Any) -> bytes:
        text = b"" if name is None else b',"name":%b' % dumps(str(name))
        return b'"s":%b,"doctype":%b%b' % (self._session.id, dumps(doctype), text)

    def _call(self, event: str, data: Any, timeout: float) -> bytes:
        ms = max(1, int(min(check_seconds("timeout", timeout, inf), CALL_SECONDS) * 1000))
        arguments = encode_arguments(to_arguments(data))
        return b'"s":%b,"t":%d,"e":%b,%b' % (self._session.id, ms, dumps(event), arguments)

    def _acknowledged(self, answer: Line, event: str) -> Any:
        if error := answer.get("error"):
            raise TimeoutError(f"{event!r} was not acknowledged by {self.sid}: {error}")
        return from_arguments(decode_arguments(answer))


class Socket(_Base):
    """One client, for ``async def`` handlers."""

    __slots__ = ()

    async def join(self, room: str) -> None:
        """Put it into a room of its site."""
        self._join_or_leave(b"join", room)
        await self._until_written()

    async def leave(self, room: str) -> None:
        """Take it out of a room."""
        self._join_or_leave(b"leave", room)
        await self._until_written()

    async def emit(
        self,
        event: str,
        data: Any = None,
        room: str | None = None,
        *,
        skip_sid: str | Iterable[str] | None = None,
    ) -> None:
        """Send an event to this client, or to a room of its site.

        :param data: None is no argument, a tuple several, anything else one; bytes stay bytes
        :param room: its name, or a sid
        :param skip_sid: sids in the room that do not get it
        """
        self._emit(event, data, room, skip_sid)
        await self._until_written()

    async def call(self, event: str, data: Any = None, timeout: float = CALL_SECONDS) -> Any:
        """Send an event to this client and wait for its acknowledgement, at most 30 seconds.

        Raises TimeoutError, also when the client has gone; TypeError or ValueError for a `timeout`
        that is not a number from 0 up.
        """
        answer = await self._session.link.ask(b"emit", self._call(event, data, timeout))
        return self._acknowledged(answer, event)

    async def has_permission(self, doctype: str, name: str | None = None) -> bool:
        """Ask the web process whether its user may read a doctype or one document."""
        answer = await self._session.link.ask(b"permission", self._question(doctype, name))
        return bool(answer.get("ok"))

    async def set(self, key: str, value: Any) -> None:
        """Keep a value for this socket, until it disconnects or the host ends."""
        self._session.data[key] = value

    async def user_of(self, sid: str) -> str | None:
        """The user of another socket of this site; None when there is no such socket."""
        answer = await self._session.link.ask(b"participants", self._in_room(sid))
        return _get_user(answer, sid)

    async def _until_written(self) -> None:
        if self._session.link.is_full:
            await self._session.link.until_written()


class SyncSocket(_Base):
    """One client, for plain handlers, which run in a thread: nothing is awaited."""

    __slots__ = ()

    def join(self, room: str) -> None:
        """As `Socket.join`."""
        self._join_or_leave(b"join", room)
        self._wait_until_written()

    def leave(self, room: str) -> None:
        """As `Socket.leave`."""
        self._join_or_leave(b"leave", room)
        self._wait_until_written()

    def emit(
        self,
        event: str,
        data: Any = None,
        room: str | None = None,
        *,
        skip_sid: str | Iterable[str] | None = None,
    ) -> None:
        """As `Socket.emit`."""
        self._emit(event, data, room, skip_sid)
        self._wait_until_written()

    def call(self, event: str, data: Any = None, timeout: float = CALL_SECONDS) -> Any:
        """As `Socket.call`."""
        answer = self._session.link.ask_and_wait(b"emit", self._call(event, data, timeout))
        return self._acknowledged(answer, event)

    def has_permission(self, doctype: str, name: str | None = None) -> bool:
        """As `Socket.has_permission`."""
        answer = self._session.link.ask_and_wait(b"permission", self._question(doctype, name))
        return bool(answer.get("ok"))

    def set(self, key: str, value: Any) -> None:
        """As `Socket.set`."""
        self._session.data[key] = value

    def user_of(self, sid: str) -> str | None:
        """As `Socket.user_of`."""
        answer = self._session.link.ask_and_wait(b"participants", self._in_room(sid))
        return _get_user(answer, sid)

    def _wait_until_written(self) -> None:
        if self._session.link.is_full:
            self._session.link.wait_until_written()


def _get_user(answer: Line, sid: str) -> str | None:
    for found, user in answer.get("sockets") or []:
        if found == sid:
            return user  # type: ignore[no-any-return]
    return None
