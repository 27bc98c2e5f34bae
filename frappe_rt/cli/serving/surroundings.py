"""Say at the start which bench, Redis and web process the server has. It can start without each."""

from __future__ import annotations

import _socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from frappe_rt.config import Config
from frappe_rt.terminal import YELLOW, say

#: Seconds for a peer to accept a connection.
KNOCK_SECONDS = 1.0


class Peer(NamedTuple):
    """A server that ours connects to, and where it listens."""

    #: What it is and its address, for people.
    name: str
    shown: str
    #: None: a Unix socket, whose path is in `port`.
    host: str | None
    port: int | str


def tell_surroundings(effective: Config) -> None:
    """Say which bench it is, and whether Redis and the web process are there."""
    say(f"bench: {effective.bench or 'none found; defaults and environment only'}")
    if effective["frappe_rt_redis"]:
        look_for(_get_redis_peer(effective))
    else:
        say("redis: not used (frappe_rt_redis)")
    look_for(_get_web_peer(effective))


def look_for(peer: Peer) -> None:
    """Say whether it is there. If not, the server tries again until it is."""
    try:
        _knock(peer)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        say(f"{peer.name}: {peer.shown} is not there yet ({reason}); will ask again", YELLOW)
    else:
        say(f"{peer.name}: {peer.shown}")


def _get_redis_peer(effective: Config) -> Peer:
    shown = effective.sources["redis_queue"]["value"]
    parts = urlsplit(effective["redis_queue"])
    if parts.scheme == "unix":
        return Peer("redis", shown, None, parts.path)
    return Peer("redis", shown, parts.hostname or "127.0.0.1", parts.port or 6379)


def _get_web_peer(effective: Config) -> Peer:
    """Where callbacks go: ``webserver_host`` (it may have a scheme and a port), or this host."""
    host = effective["webserver_host"] or effective["server_ip"]
    address, port = "127.0.0.1", effective["webserver_port"]
    if host:
        parts = urlsplit(host if "//" in host else f"//{host}")
        default = effective["webserver_port"] if effective["webserver_host"] else 80
        address, port = parts.hostname or host, parts.port or default
    return Peer("web process", f"{address}:{port}", address, port)


def _knock(peer: Peer) -> None:
    """Connect to it. Raises the error of the last address when none of them accepts."""
    if peer.host is None:
        _connect(_socket.AF_UNIX, peer.port)
        return
    found = _socket.getaddrinfo(peer.host, peer.port, 0, _socket.SOCK_STREAM)
    for last, (family, *_, address) in enumerate(found, 1 - len(found)):
        try:
            _connect(family, address)
        except OSError:
            if last == 0:
                raise
        else:
            return


def _connect(family: int, address: Any) -> None:
    peer = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        peer.settimeout(KNOCK_SECONDS)
        peer.connect(address)
    finally:
        peer.close()
