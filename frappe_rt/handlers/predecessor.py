"""The host that this one replaces. The apps that it serves must still be served afterwards."""

from __future__ import annotations

import json
import socket

#: Seconds for the server's answer.
ANSWER_SECONDS = 10.0


def get_apps(path: str, id: str) -> set[str]:
    """Asks the server at `path` which apps host `id` serves; none if there is no such host.

    Raises OSError when the server does not answer.
    """
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(ANSWER_SECONDS)
        peer.connect(path)
        peer.sendall(b'{"rt":"hosts"}\n')
        with peer.makefile("rb") as stream:
            answer = stream.readline()
    if not answer.endswith(b"\n"):
        raise ConnectionResetError(0, "the server has closed the connection")
    hosts = json.loads(answer).get("hosts", [])
    return {app for host in hosts if host["id"] == id for app in host.get("apps", [])}
