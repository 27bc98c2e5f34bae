"""The extension module: the server thread, its configuration, and three ways to publish."""

from collections.abc import Sequence

version: str

def load_config(bench: str | None, overrides: str | None) -> str:
    """JSON ``{"values": {key: value}, "sources": {key: {"value", "from", "default",
    "environment", "live", "help"}}, "local_socket": path}``; without that path
    ``"no_local_socket": why``. `overrides` is a JSON object. Raises ValueError."""

def start(bench: str | None, overrides: str | None, sockets: Sequence[int] = ()) -> str:
    """JSON ``{"port": int | null, "uds": str | null, "addresses": [str]}``.

    `sockets` are descriptors that listen already; they become the server's when it starts.

    Raises ValueError (configuration), OSError (cannot listen), RuntimeError (runs already)."""

def reload(bench: str | None, overrides: str | None) -> bool:
    """False when no server runs here. Raises ValueError (configuration)."""

def stop(deadline_ms: int = 2000) -> bool:
    """Releases the GIL. False when nothing ran."""

def running() -> bool:
    """Whether this process itself, not its parent, runs a server thread."""

def publish(site: str, room: str, event: str, message: bytes) -> bool | None:
    """To the thread of this process; room "" is the whole site. False: it is full. None: none runs
    here, or it stops."""

def lost() -> int:
    """Events that a server thread of this process took, and left undone because it did not end
    within the deadline of its stop. A forked child inherits the number."""

def local_publish(path: str, site: str, room: str, event: str, message: bytes) -> str | None:
    """To the server that listens at `path`; releases the GIL only to wait. None, or the failure.

    Raises PermissionError when a process of another user listens there: at most once a second."""

def redis_publish(url: str, site: str, room: str, event: str, message: bytes) -> None:
    """PUBLISH on ``events``; releases the GIL only to wait. Raises OSError when Redis is away."""

def date_text(value: object) -> str:
    """``str(value)`` of a date, or of a datetime or time without a zone, of exactly these classes;
    TypeError for all else. Runs no Python code, so it is safe inside an encoder that walks over a
    structure that must not change."""

def stats(timeout_ms: int = 1000) -> str:
    """Figures and counters as JSON. Raises RuntimeError when no server runs."""

def open_requests() -> int:
    """Accepts ``{"rt": "reload"}`` on the local socket from now on. The descriptor is readable when
    there is a request: poll it beside others, and do not close it. A forked child accepts none."""

def take_request() -> str | None:
    """``"reload"``, or None when nothing has been requested since the last call. Never waits."""

def close_requests() -> None:
    """Refuses requests from now on."""

def set_log(level: int, callback_fd: int = 2) -> None:
    """The thread's log lines of `level` (0 debug .. 3 error) and above go to this descriptor."""

def warn(part: str, text: str) -> None:
    """Writes a warning to the same log; `part` names a part of the server."""
