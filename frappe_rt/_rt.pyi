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
    """Whether a server thread of this very process runs."""

def publish(site: str, room: str, event: str, message: bytes) -> bool | None:
    """To the thread of this process; room "" is the whole site. False: it is full. None: none runs
    here, or it stops."""

def lost() -> int:
    """Events that a server thread of this process took, and left undone because it did not end
    within the deadline of its stop. A forked child inherits the number."""

def local_publish(path: str, site: str, room: str, event: str, message: bytes) -> str | None:
    """To the server that listens at `path`; gives up the GIL only to wait. None, or why not."""

def redis_publish(url: str, site: str, room: str, event: str, message: bytes) -> None:
    """PUBLISH on ``events``; gives up the GIL only to wait. Raises OSError when Redis is away."""

def date_text(value: object) -> str:
    """``str(value)`` of a date, or of a datetime or time without a zone, of exactly these classes;
    TypeError for all else. Runs no line of Python, so that it may be called in the middle of a
    structure that nobody must change."""

def stats(timeout_ms: int = 1000) -> str:
    """Figures and counters as JSON. Raises RuntimeError when no server runs."""

def open_requests() -> int:
    """From now on ``{"rt": "reload"}`` on the local socket is taken. The descriptor (not the
    caller's to close) is readable when a request is there: poll it together with all else that is
    waited for. A forked child takes none."""

def take_request() -> str | None:
    """``"reload"``, or None when nothing has been requested since the last call. Never waits."""

def close_requests() -> None:
    """Requests are refused from now on."""

def set_log(level: int, callback_fd: int = 2) -> None:
    """The thread's log lines of `level` (0 debug .. 3 error) and above go to this descriptor."""

def warn(part: str, text: str) -> None:
    """A warning among those lines; `part` is of the server, for who reads the log."""
