"""Serving until a signal comes: what `serve` and `demo` share, and the process `serve` becomes.

`__main__` comes here at once when the options are plain (`serve_options`). Where Click had to read
them the command line turns into this module (`exec`: the same process, a fresh interpreter), or
what Click imports would stay in memory, 3 MB, for as long as the server runs. So nothing heavy is
imported here.
"""

from __future__ import annotations

import _socket
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

from frappe_rt import __version__, _rt, config, server

#: Seconds from a signal to the end of the process, at most.
STOP_SECONDS = 2.0
#: Seconds between two looks at whether the server thread lives and a file has changed.
LOOK_SECONDS = 2.0
#: Seconds to wait for an answer when looking whether Redis or the web process is there.
KNOCK_SECONDS = 1.0
#: SD_LISTEN_FDS_START
FIRST_SOCKET = 3
PORT_MOST = 65535
PR_SET_PDEATHSIG = 1
LOG_LEVELS = ("debug", "info", "warning", "error")

_AWAITED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM}


class Peer(NamedTuple):
    """A server we depend on, and where it listens."""

    #: What it is and its address, for people.
    name: str
    shown: str
    #: None: a Unix socket, whose path is in `port`.
    host: str | None
    port: int | str


class Order(NamedTuple):
    """What `serve` was asked for."""

    #: As `frappe_rt.start` takes it.
    bench: str | None
    overrides: dict[str, Any]
    #: One of `LOG_LEVELS`.
    log_level: str = "info"
    #: Path; None: stderr.
    log_file: str | None = None
    #: The process that ends this one when it ends; None: there is none.
    parent: int | None = None


def make_order(
    bench: str | None = None,
    port: int | None = None,
    uds: str | None = None,
    host: str | None = None,
    redis: bool | None = None,
    log_level: str = "info",
    log_file: str | None = None,
    die_with_parent: bool = False,
) -> Order:
    """The order that the options of ``serve`` give (None: not given)."""
    overrides = {
        "socketio_port": port,
        "socketio_uds": uds if port is None else uds or "",
        "frappe_rt_host": host,
        "frappe_rt_redis": redis,
    }
    return Order(bench, overrides, log_level, log_file, os.getppid() if die_with_parent else None)


def _end_with(parent: int) -> None:
    """Have SIGTERM sent to this process when its parent ends (prctl(2))."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        fail(f"--die-with-parent: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it ended before, and we have another
        raise SystemExit(0)


def become(order: Order) -> NoReturn:
    """Turn this process into one that serves. The environment and open files stay."""
    command = [sys.executable, "-m", __name__, json.dumps(order)]
    os.execv(sys.executable, command)


def serve(order: Order) -> None:
    """Serve until SIGINT or SIGTERM."""
    bench, overrides, log_level, log_file, parent = order
    if parent is not None:
        _end_with(parent)
    on_terminal = sys.stdout.isatty()  # not any more once it is closed, so before SIGHUP can wait
    block_signals()
    raise_file_limit()
    log = LogFile(log_file) if log_file else None
    _rt.set_log(LOG_LEVELS.index(log_level), log.descriptor if log else 2)
    rereading = Rereading(bench, log)  # before the files are read
    running = start_or_exit(bench, sockets=take_sockets(), **overrides)
    server.supervise(log.descriptor if log else 2)
    say(f"frappe_rt {__version__} listens on {', '.join(running.addresses)}")
    tell_surroundings(config.get_effective())
    notify("READY=1")
    wait_for_signal(rereading, on_terminal)
    notify("STOPPING=1")
    say("frappe_rt stops")
    stop_within(STOP_SECONDS)


def tell_surroundings(effective: config.Config) -> None:
    """The bench, and whether Redis and the web process are there. None of them has to be."""
    say(f"bench: {effective.bench or 'none found; defaults and environment only'}")
    if effective["frappe_rt_redis"]:
        look_for(_get_redis_peer(effective))
    else:
        say("redis: not used (frappe_rt_redis)")
    look_for(_get_web_peer(effective))


def raise_file_limit() -> None:
    """One connection is one open file; the usual soft limit of 1024 is for users of select."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _get_redis_peer(effective: config.Config) -> Peer:
    shown = effective.sources["redis_queue"]["value"]
    parts = urlsplit(effective["redis_queue"])
    if parts.scheme == "unix":
        return Peer("redis", shown, None, parts.path)
    return Peer("redis", shown, parts.hostname or "127.0.0.1", parts.port or 6379)


def _get_web_peer(effective: config.Config) -> Peer:
    """Where callbacks go: ``webserver_host`` (which may hold a scheme and a port), or this host."""
    host = effective["webserver_host"] or effective["server_ip"]
    address, port = "127.0.0.1", effective["webserver_port"]
    if host:
        parts = urlsplit(host if "//" in host else f"//{host}")
        default = effective["webserver_port"] if effective["webserver_host"] else 80
        address, port = parts.hostname or host, parts.port or default
    return Peer("web process", f"{address}:{port}", address, port)


class LogFile:
    """A file that lines are appended to, by the server thread too."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.descriptor = self._open()
        except OSError as error:
            fail(f"cannot write to {path} (--log-file): {error.strerror}")

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def reopen(self) -> None:
        """Go on in a new file of that name: whoever rotates logs has moved the old one away."""
        try:
            fresh = self._open()
        except OSError as error:
            say(f"cannot write to {self.path} again: {error.strerror}; going on in the old file")
            return
        os.dup2(fresh, self.descriptor, inheritable=False)
        os.close(fresh)


class Rereading:
    """What is read or opened again on SIGHUP, and when a file of the configuration changes."""

    def __init__(self, bench: str | None, log: LogFile | None) -> None:
        self.log = log
        self.files = config.get_files(config.find_bench() if bench is None else bench)
        self.seen = self._look()

    def _look(self) -> list[tuple[int, ...] | None]:
        return [_identify(path) for path in self.files]

    def on_hangup(self) -> None:
        if self.log:
            self.log.reopen()
        self.seen = self._look()
        self.read_again(replace_handlers=self.log is not None)  # theirs is still the old file

    def on_look(self) -> None:
        """Now and then."""
        now = self._look()
        if now != self.seen:
            self.seen = now
            self.read_again()

    def read_again(self, *, replace_handlers: bool = False) -> None:
        try:
            server.reload(replace_handlers=replace_handlers)
        except ValueError as error:
            say(f"the configuration stays as it was: {error}", YELLOW)


def _identify(path: Path) -> tuple[int, ...] | None:
    """What changes when a file does; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def say(line: str, color: str = "") -> None:
    """One line on stdout at once, coloured on a terminal.

    When whoever read it has gone, the server goes on, silently. It is one write, also where
    Python does not buffer: the server's thread and the hosts write to the same file.
    """
    try:
        sys.stdout.write(_paint(line, color, sys.stdout.isatty()) + "\n")
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _paint(line: str, color: str, terminal: bool) -> str:
    return f"\x1b[{color}m{line}\x1b[0m" if color and terminal else line


YELLOW = "33"
RED = "31"


def fail(why: str) -> NoReturn:
    """One line on stderr, in red on a terminal, and exit status 1."""
    print(_paint(f"frappe_rt: {why}", RED, sys.stderr.isatty()), file=sys.stderr, flush=True)
    raise SystemExit(1)


def look_for(peer: Peer) -> None:
    """Say whether it is there. It need not be: the server asks again until it is."""
    try:
        _knock(peer)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        say(f"{peer.name}: {peer.shown} is not there yet ({reason}); will ask again", YELLOW)
    else:
        say(f"{peer.name}: {peer.shown}")


def _knock(peer: Peer) -> None:
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


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told (``Type=notify``, sd_notify(3))."""
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
    """Descriptors that systemd listens on for us (socket activation, sd_listen_fds(3)).

    They are told to the process with ``LISTEN_PID`` only, and to none that it starts.
    """
    pid, count = (os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS"))
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return list(range(FIRST_SOCKET, FIRST_SOCKET + int(count)))


def start_or_exit(bench: str | None, site: str | None = None, **options: Any) -> server.Server:
    """`frappe_rt.start`, where what went wrong is one line on stderr and exit status 1."""
    try:
        return server.start(bench, site, **options)
    except (OSError, ValueError) as error:
        fail(str(error.args[-1] if error.args else error))


def block_signals() -> None:
    """Keep what `wait_for_signal` waits for, for it. Before any thread is started."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)


def wait_for_signal(rereading: Rereading | None = None, on_terminal: bool = False) -> None:
    """Until SIGINT or SIGTERM, or SIGHUP on a terminal, which has been closed then.

    Fails when the server thread ends by itself.
    """
    # Not sigtimedwait: where SIGSTOP and SIGCONT have made it last longer than it should, Python's
    # returns a signal that has not come.
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
    while True:
        came = signal.sigwait(_AWAITED)
        if came == signal.SIGALRM:
            if not server.running():
                fail("the server has stopped by itself; the log says why")
            if rereading:
                rereading.on_look()
        elif came == signal.SIGHUP and rereading and not on_terminal:
            rereading.on_hangup()
        else:
            return


def stop_within(seconds: float) -> None:
    """Stop the server. Should anything hang, SIGALRM ends the process after `seconds`."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    if signal.SIGALRM in signal.sigpending():
        signal.sigwait({signal.SIGALRM})  # a look that was due
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    signal.setitimer(signal.ITIMER_REAL, seconds)
    server.stop(seconds * 0.75)


if __name__ == "__main__":
    serve(Order(*json.loads(sys.argv[1])))
