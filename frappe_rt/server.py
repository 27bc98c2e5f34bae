"""Start and stop the server of this process, read its figures, have it read its configuration.

The server is a thread that never takes the GIL. It belongs to the process that started it: a forked
child has none. At exit it is stopped and joined, with a deadline.
"""

from __future__ import annotations

import atexit
import json
import os
import time
from _thread import RLock
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from frappe_rt import _rt, config, unknown_keys
from frappe_rt.loading import load
from frappe_rt.seconds import check_seconds

if TYPE_CHECKING:
    from frappe_rt.hosts.supervisor import Supervisor

#: Seconds a stop may take: clients get what waits for them, then their connections are closed.
STOP_SECONDS = 2.0


class Server:
    """A server that `start` has started. As a context manager it stops this server, no other."""

    def __init__(self, listening: dict[str, Any], site: str | None) -> None:
        self.port: int | None = listening["port"]
        self.uds: str | None = listening["uds"]
        #: Where it listens, for people: ``["0.0.0.0:9000", "[::]:9000"]`` or the socket's path.
        self.addresses: list[str] = listening["addresses"]
        self.site = site

    def __repr__(self) -> str:
        state = "running" if _is_current(self) and running() else "stopped"
        return f"<frappe_rt.Server on {', '.join(self.addresses)}, {state}>"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        _stop(STOP_SECONDS, self)


class _Turn:
    """One start, stop or reload at a time.

    A signal handler runs in the main thread, perhaps in the middle of a start. It would wait for
    itself for ever. So it is refused, and a stop that it asks for follows that start.
    """

    def __init__(self) -> None:
        #: Reentrant, so that such a handler gets it and sees `_taken`.
        self._lock = RLock()
        self._taken = False
        #: The deadline of a stop that follows.
        self._stop_asked: float | None = None

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._taken:
            self._lock.release()
            raise RuntimeError(
                "this thread is in the middle of a start, stop or reload of the server; "
                "a signal handler can only call stop then"
            )
        self._taken = True

    def __exit__(self, *_: object) -> None:
        asked, self._stop_asked = self._stop_asked, None
        self._taken = False
        self._lock.release()
        if asked is not None and _rt.running():
            _stop(asked)

    def take_to_stop(self, deadline: float) -> bool:
        """Take the turn, as `with` does. False: it is not free within `deadline` seconds."""
        if not self._lock.acquire(timeout=deadline):
            return False
        if self._taken:
            self._stop_asked = deadline
            self._lock.release()
            return False
        self._taken = True
        return True


_turn = _Turn()
#: What the last start was given, and its server, until a stop; `_turn` is taken to change it.
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

    :param bench: folder of the bench whose configuration counts; None: the one around the working
        directory, if any; "": none
    :param site: the site of publishes that name none, and of the host name ``localhost``
    :param sockets: descriptors of sockets that listen already (systemd's socket activation). They
        take the place of those in the configuration, and the server closes them in the end. When
        the start fails, they stay open and yours
    :param handlers: also run the realtime handlers of the bench's apps, as `supervise` does
    :param overrides: configuration keys; they override all files and the environment
        (``socketio_port=0`` takes a free port, ``frappe_rt_redis=False`` needs no Redis)

    Raises ValueError (configuration, a descriptor that does not listen), OSError (port in use),
    RuntimeError (a server with other arguments runs already, or a signal handler has interrupted
    a start, stop or reload). Then it has started nothing.
    """
    global _started
    if site:
        overrides.setdefault("default_site", site)
    found = config.find_bench() if bench is None else bench
    given = config.Given(found or "", site, overrides)
    with _turn:
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
        try:
            supervise()
        except BaseException:
            _stop(STOP_SECONDS, server)
            raise
    return server


def supervise(log: int = 2) -> bool:
    """Run the realtime handlers of apps, in processes of their own, until the server stops.

    These processes and their supervisor write to the descriptor `log`. Returns False when it does
    nothing: no server runs here, there is no bench or no local socket, `frappe_rt_handlers` is
    off, or they are supervised already.
    """
    global _supervisor
    with _turn:
        if _started is None or _supervisor is not None:
            return False
        given = _started[0]
        effective = config.load(given.bench or "", **given.overrides)
        if effective.bench is None or effective["frappe_rt_handlers"] == "off":
            return False
        supervisor = load("frappe_rt.hosts.supervisor")  # not needed without a bench
        path = effective.local_socket
        if path is None:
            supervisor.tell_no_socket(effective.bench, effective.no_local_socket, log)
            return False
        requests = supervisor.Requests(_rt.open_requests(), _rt.take_request)
        try:
            _supervisor = supervisor.start(effective.bench, path, given.overrides, log, requests)
        except BaseException:
            _rt.close_requests()
            raise
        return True


def stop(deadline: float = STOP_SECONDS) -> bool:
    """Stop the server of this process within `deadline` seconds. False when none ran.

    Also False when the start or stop of another thread takes longer than that. In a signal handler
    that has interrupted a start or reload it returns False at once, and the stop follows that call.
    Raises TypeError or ValueError for a `deadline` that is not from 0 to 86400, and stops nothing.
    """
    return _stop(check_seconds("deadline", deadline))


def _stop(deadline: float, server: Server | None = None) -> bool:
    """Stop `server`, unless another one runs by now; None: the one that runs."""
    until = time.monotonic() + deadline
    turn = _turn  # a handler may fork: the child has another
    if not turn.take_to_stop(deadline):
        return False
    try:
        if server is not None and not _is_current(server):
            return False
        return _stop_until(until)
    finally:
        turn.__exit__()


def _stop_until(until: float) -> bool:
    """Stop the server and its handler hosts; `until` is a time of `time.monotonic`."""
    global _started, _supervisor
    supervisor, _supervisor = _supervisor, None
    if supervisor is not None:
        _rt.close_requests()
        supervisor.begin_to_stop(_left(until) / 2)
    stopped = _rt.stop(int(_left(until) * 1000))
    if supervisor is not None:
        supervisor.join(_left(until))
    if _started is not None:
        _started = None
        config.give(config.Given())
    return stopped


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _is_current(server: Server) -> bool:
    started = _started
    return started is not None and started[1] is server


def reload(*, replace_handlers: bool = False) -> bool:
    """Have the running server read its configuration again. False when none runs here.

    :param replace_handlers: have new processes take over from those that run apps' handlers

    `python -m frappe_rt config` says which keys can change while it runs. The log names the keys
    that have changed, and those that need a restart. Raises ValueError when a file or value is
    wrong, RuntimeError in a signal handler that has interrupted a start, stop or reload: then
    nothing changes.
    """
    with _turn:
        if _started is None:
            return False
        given = _started[0]
        if _supervisor is not None and replace_handlers:
            _supervisor.reload()
        done = _rt.reload(given.bench or None, config.encode_overrides(given.overrides))
        if _supervisor is not None and not replace_handlers:  # not reached with a wrong file
            _supervisor.read_again()
        unknown_keys.warn(given.bench or "", given.overrides)
        return done


def running() -> bool:
    """Whether a server thread of this process runs; False in a forked child."""
    return _rt.running()


def stats(timeout: float = 1.0) -> dict[str, Any]:
    """Figures and counters of the server, and under ``publisher`` those of this process.

    Raises RuntimeError when no server runs here or it does not answer within `timeout` seconds,
    TypeError or ValueError for a `timeout` that is not from 0 to 86400.
    """
    timeout = check_seconds("timeout", timeout)
    # Not imported above: a process that only serves does not load what publishes.
    deliver = load("frappe_rt.publishing.deliver")
    figures: dict[str, Any] = json.loads(_rt.stats(int(timeout * 1000)))
    figures["publisher"] = deliver.get_counters()
    return figures


def _forget_in_child() -> None:
    """A forked child has no server. It publishes by the configuration that its parent was given."""
    global _turn, _started, _supervisor
    _turn = _Turn()
    _started = _supervisor = None


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(stop)
