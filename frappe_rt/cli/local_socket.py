"""Ask the running server of a bench through its local socket. Every failure ends the command."""

from __future__ import annotations

import json
import socket
from typing import Any

from frappe_rt import config
from frappe_rt.terminal import fail

#: Seconds for the server to answer.
PATIENCE = 3.0


def get_path(bench: str | None) -> str:
    """The path of the local socket of the server of `bench`; None: of the bench around here."""
    return find(bench)[0]


def find(bench: str | None) -> tuple[str, str | None]:
    """The path of the local socket, and the folder of the bench if there is one."""
    try:
        effective = config.load(bench)
    except ValueError as error:
        fail(str(error))
    if effective.local_socket is None:
        fail(f"no local socket to ask: {effective.no_local_socket}")
    return effective.local_socket, effective.bench


def connect(path: str) -> Any:
    """A connection as a stream."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(PATIENCE)
    try:
        peer.connect(path)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        fail(f"no server runs here: {path}: {error.strerror}")
    except PermissionError:
        fail(f"{path} belongs to another user; ask as the user who runs the server, or as root")
    except OSError as error:
        fail(f"{path}: {error.strerror or error}")
    stream = peer.makefile("rwb")
    peer.close()  # the stream keeps the connection open
    return stream


def ask(stream: Any, path: str, command: str = "stats") -> dict[str, Any]:
    """Send `command` over `stream`, a connection to `path`. Returns the answer."""
    try:
        stream.write(b'{"rt":"%b"}\n' % command.encode())
        stream.flush()
        line = stream.readline()
    except TimeoutError:
        fail(f"the server at {path} did not answer within {PATIENCE:g} seconds")
    except OSError as error:
        fail(f"the server at {path} is gone: {error.strerror}")
    if not line.endswith(b"\n"):
        fail(f"the server at {path} has closed the connection")
    answer: dict[str, Any] = json.loads(line)
    return answer
