"""The server of this process: start, stop, figures.

The server is a thread that never takes the GIL. It belongs to the process that started it: a forked
child has none (and publishes through Redis). At exit it is stopped and joined, with a deadline.
"""

from __future__ import annotations

import atexit
import json
import os
from _thread import allocate_lock
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from frappe_rt import _rt, config, unknown_keys
from frappe_rt.loading import load

if TYPE_CHECKING:
    from frappe_rt.hosts.supervisor import Supervisor

#: Seconds a stop may take: what is owed to clients is flushed, then their transports are dropped.
STOP_SECONDS = 2.0


class Server:
    """A running server, as `start` returns it. As a context manager it stops at the end."""

    def __init__(self, listening: dict[str, Any], site: str | None) -> None:
        self.port: int | None = listening["port"]
        self.uds: str | None = listening["uds"]
        #: Where it listens, for people: ``["0.0.0.0:9000", "[::]:9000"]`` or the socket's path.
        self.addresses: list[str] = listening["addresses"]
        self.site = site

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        stop()


_lock = allocate_lock()
_started: tuple[config.Given, Server] | None = None
_supervisor: Supervisor | None = None


def start(
    bench: str | None = None,
    site: str | None = None,
    *,
    sockets: Sequence[int] = (),
    handlers: bool = False,
    **overrides: Any,
) -> Server:
    """Start the server of this process. The second call with the same arguments changes nothing.

    :param bench: folder of the bench whose configuration counts; None: the one found from here, if
        any; "": none
    :param site: the site that publishes without one go to, and that ``localhost`` means
    :param sockets: descriptors of sockets that listen already, instead of those of the
        configuration (systemd's socket activation); the server closes them in the end
    :param handlers: run the realtime handlers of the bench's apps, too, as `supervise` does
    :param overrides: configuration keys, above all files and the environment
        (``socketio_port=0`` takes a free port, ``frappe_rt_redis=False`` needs no Redis)

    Raises ValueError (configuration, a descriptor that does not listen), OSError (port in use),
    RuntimeError (it runs already, but was started with other arguments).
    """
    global _started
    if site:
        overrides.setdefault("default_site", site)
    found = config.find_bench() if bench is None else bench
    given = config.Given(found or "", site, overrides)
    with _lock:
        if _started is not None and _rt.running():
            if _started[0] == given:
                return _started[1]
            raise RuntimeError(
                f"a server runs in this process already, on {', '.join(_started[1].addresses)}; "
                "stop it first"
            )
        encoded = config.encode_overrides(overrides)
        listening = json.loads(_rt.start(given.bench or None, encoded, sockets))
        config.give(given)
        server = Server(listening, site)
        _started = given, server
        unknown_keys.warn(given.bench or "", overrides)
    if handlers:
        supervise()
    return server


def supervise(log: int = 2) -> bool:
    """Run the realtime handlers of apps, in processes of their own, until the server stops.

    What they and their supervisor say goes to the descriptor `log`. False when nothing is
    supervised: no server runs here, there is no bench or no local socket, `frappe_rt_handlers` is
    off, or it is done already.
    """
    global _supervisor
    with _lock:
        if _started is None or _supervisor is not None:
            return False
        given = _started[0]
        effective = config.load(given.bench or "", **given.overrides)
        if effective.bench is None or effective["frappe_rt_handlers"] == "off":
            return False
        from frappe_rt.hosts import supervisor  # not needed without a bench

        path = effective.local_socket
        if path is None:
            supervisor.tell_no_socket(effective.bench, effective.no_local_socket, log)
            return False
        requests = supervisor.Requests(_rt.open_requests(), _rt.take_request)
        _supervisor = supervisor.start(effective.bench, path, given.overrides, log, requests)
        return True


def stop(deadline: float = STOP_SECONDS) -> bool:
    """Stop the server of this process within `deadline` seconds. False when none ran."""
    global _started, _supervisor
    with _lock:
        supervisor, _supervisor = _supervisor, None
        if supervisor is not None:
            _rt.close_requests()
            supervisor.begin_to_stop(deadline / 2)
        stopped = _rt.stop(int(deadline * 1000))
        if supervisor is not None:
            supervisor.join(deadline)
        if _started is not None:
            _started = None
            config.give(config.Given())
        return stopped


def reload(*, replace_handlers: bool = False) -> bool:
    """Read the configuration of the running server again; False when none runs here.

    :param replace_handlers: have new processes take over from those that run apps' handlers

    What can change while it runs does (`python -m frappe_rt config` says which keys), and the log
    tells it; what cannot is logged, too. Raises ValueError when a file or value is wrong: then
    nothing changes.
    """
    with _lock:
        if _started is None:
            return False
        given = _started[0]
        if _supervisor is not None and replace_handlers:
            _supervisor.reload()
        done = _rt.reload(given.bench or None, config.encode_overrides(given.overrides))
        if _supervisor is not None and not replace_handlers:  # a wrong file has been told of
            _supervisor.read_again()
        unknown_keys.warn(given.bench or "", given.overrides)
        return done


def running() -> bool:
    """Whether a server thread of this process runs; False in a forked child."""
    return _rt.running()


def stats(timeout: float = 1.0) -> dict[str, Any]:
    """Figures and counters of the server, and under ``publisher`` those of this process.

    Raises RuntimeError when no server runs here or it does not answer within `timeout` seconds.
    """
    # Not imported above: a process that only serves does not load what publishes.
    deliver = load("frappe_rt.publishing.deliver")
    figures: dict[str, Any] = json.loads(_rt.stats(int(timeout * 1000)))
    figures["publisher"] = deliver.get_counters()
    return figures


def _forget_in_child() -> None:
    """A forked child has no server, but publishes by the configuration its parent was given."""
    global _lock, _started, _supervisor
    _lock = allocate_lock()
    _started = _supervisor = None


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(stop)
