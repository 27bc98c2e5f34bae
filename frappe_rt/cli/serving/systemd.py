"""What systemd offers a service: readiness (``Type=notify``) and socket activation."""

from __future__ import annotations

import _socket
import os

from frappe_rt.terminal import YELLOW, say

#: SD_LISTEN_FDS_START
FIRST_SOCKET = 3


def notify(state: str) -> None:
    """Send `state` to the service manager, if it listens (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    try:
        channel.connect(address)
        channel.send(state.encode())
    except OSError as error:
        say(f"cannot tell {path} (NOTIFY_SOCKET) {state}: {error.strerror}", YELLOW)
    finally:
        channel.close()


def take_sockets() -> list[int]:
    """The descriptors on which systemd listens for this process (sd_listen_fds(3)).

    ``LISTEN_PID`` says for which process they are. The variables are removed, so that no process
    started from here takes the sockets for its own.
    """
    pid, count = (os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS"))
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return list(range(FIRST_SOCKET, FIRST_SOCKET + int(count)))
