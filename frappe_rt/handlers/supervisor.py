"""Starts, watches and stops the handler hosts of a server: a thread of the process that owns it.

         due                       {"rt":"reload"}, a changed file
 WAITING ────► one runs ◄───────────────────────────────────────► it and a successor run
    ▲             │ it ends     one of the two ends; the old one
    └─────────────┘             does when the new one is ready
   longer each time, until one lived for a while

This process may be gunicorn's master, so nothing here touches a signal's disposition or SIGCHLD:
hosts are started by posix_spawn and waited for by pidfd, and who else reaps them is welcome to.
Imported by what serves, so neither asyncio nor subprocess nor logging is.
"""

from __future__ import annotations

import _socket
import os
import select
import signal
import struct
import sys
import time
from _thread import allocate_lock, start_new_thread
from binascii import hexlify
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from frappe_rt import config
from frappe_rt.handlers import apps

#: Seconds until a host that has ended is started again, at first and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
#: A host that has lived for so long begins with the first pause again.
HEALTHY_SECONDS = 60.0
#: Seconds that a successor has to be ready.
SUCCEED_SECONDS = 60.0
#: Seconds between two looks at the files, in developer mode.
LOOK_SECONDS = 1.0
#: Seconds from SIGTERM to SIGKILL.
STOP_SECONDS = 1.0
#: The host that Node runs.
HOST_JS = Path(__file__).with_name("host.js")
NAMES = {"python": "Python", "node": "JavaScript"}

Now = Callable[[], float]


class Child:
    """A host's process."""

    def __init__(self, command: list[str], id: str, descriptor: int) -> None:
        self.id = id
        self.since = time.monotonic()
        actions: list[tuple[int, ...]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),  # type: ignore[list-item]
            (os.POSIX_SPAWN_DUP2, descriptor, 1),
            (os.POSIX_SPAWN_DUP2, descriptor, 2),
        ]
        self.pid = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=actions,
            setpgroup=0,  # a terminal's Ctrl-C is for the server, which stops it
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
        )
        self.reaped = False
        try:
            self.descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:  # it has ended, and somebody else has reaped it
            self.descriptor = -1
            self.reaped = True
        except OSError as error:
            self.kill(signal.SIGKILL)
            raise OSError(error.errno, f"pidfd_open: {error.strerror}") from None

    def has_ended(self) -> bool:
        if self.reaped:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def reap(self) -> str:
        """After its end. What it ended by, for people."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # somebody else was faster
            pid = 0
        self.reaped = True
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if not pid:
            return "has ended"
        code = os.waitstatus_to_exitcode(status)
        return f"ended by signal {-code}" if code < 0 else f"ended with status {code}"

    def kill(self, number: int) -> None:
        """The number cannot be another's: as long as there is the pidfd, it is asked by that."""
        if self.reaped:
            return
        try:
            if self.descriptor >= 0:
                signal.pidfd_send_signal(self.descriptor, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return


class Told(NamedTuple):
    """What a host is told on its command line."""

    bench: str
    socket: str
    parent: int


class Requests(NamedTuple):
    """What others ask of this process: readable when something is there, and how to take it."""

    descriptor: int
    take: Callable[[], str | None]


class Host:
    """The host of one language, through all its processes."""

    def __init__(
        self,
        language: str,
        start: Callable[[str, str | None], Child],
        say: Callable[[str, str], None],
    ) -> None:
        self.language = language
        self.name = NAMES[language]
        self._start = start
        self._say = say
        self.current: Child | None = None
        self.successor: Child | None = None
        self.leaving: list[Child] = []
        self.due = 0.0  # when the next one starts, if there is none
        self.pause = FIRST_PAUSE
        self.wanted = True
        self.reload_again = False

    def children(self) -> list[Child]:
        found = [self.current, self.successor, *self.leaving]
        return [child for child in found if child]

    def tick(self, now: float) -> None:
        """Look at what has ended, and start what is due."""
        for child in [child for child in self.leaving if child.has_ended()]:
            child.reap()
            self.leaving.remove(child)
        self._look_at_successor(now)
        if self.current and self.current.has_ended():
            self._on_end(self.current, now)
        if self.wanted and not self.current and now >= self.due:
            self.current = self._try_to_start(None, now)

    def _look_at_successor(self, now: float) -> None:
        successor = self.successor
        if not successor:
            return
        if successor.has_ended():
            how = successor.reap()
            self.successor = None
            self._say("ERROR", f"the new {self.name} handlers {how}; the old ones go on")
        elif self.current and self.current.has_ended():
            # It was told to go, after the other had taken over.
            self.current.reap()
            self.current, self.successor = successor, None
            self._say("INFO", f"the new {self.name} handlers have taken over")
        elif now - successor.since > SUCCEED_SECONDS:
            successor.kill(signal.SIGKILL)
            self.leaving.append(successor)
            self.successor = None
            self._say(
                "ERROR",
                f"the new {self.name} handlers were not ready in {SUCCEED_SECONDS:g} seconds; "
                "the old ones go on",
            )
        if not self.successor and self.reload_again:
            self.reload_again = False
            self.reload(now)

    def _on_end(self, child: Child, now: float) -> None:
        how = child.reap()
        self.current = None
        lived = now - child.since
        if not self.wanted:
            return
        if lived >= HEALTHY_SECONDS:
            self.pause = FIRST_PAUSE
        self.due = now + self.pause
        self._say(
            "ERROR",
            f"the {self.name} handlers (process {child.pid}) {how} after {lived:.1f} seconds; "
            f"starting them again in {self.pause:g}",
        )
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def _try_to_start(self, replaces: str | None, now: float) -> Child | None:
        id = hexlify(os.urandom(10)).decode()
        try:
            return self._start(id, replaces)
        except OSError as error:
            why = error.strerror or error
            self.due = now + self.pause
            self._say(
                "ERROR",
                f"the {self.name} handlers cannot be started ({why}); "
                f"trying again in {self.pause:g} seconds",
            )
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
            return None

    def reload(self, now: float) -> None:
        """Start anew: beside the one that runs, which goes on until the other is ready."""
        self.pause = FIRST_PAUSE
        if not self.current:
            self.due = now
        elif self.successor:
            self.reload_again = True
        else:
            self.successor = self._try_to_start(self.current.id, now)

    def get_due(self) -> float | None:
        """When `tick` is to be called next, if nothing ends before."""
        if self.successor:
            return self.successor.since + SUCCEED_SECONDS
        return self.due if self.wanted and not self.current else None

    def end(self) -> None:
        """No app needs it any more."""
        self.wanted = False
        for child in self.children():
            child.kill(signal.SIGTERM)


class Supervisor:
    """Watches from `start` until `stop`."""

    def __init__(
        self,
        bench: str,
        socket: str,
        overrides: dict[str, object],
        log: int = 2,
        requests: Requests | None = None,
    ) -> None:
        self._told = Told(bench, socket, os.getpid())
        self._overrides = overrides
        self._log = log
        self._requests = requests
        self._hosts: dict[str, Host] = {}
        self._files: dict[str, dict[str, Path]] = {}
        self._stamps: dict[str, dict[str, tuple[int, int]]] = {}
        self._developing = False
        self._next_look = 0.0
        self._missing_node = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._stopping = False
        self._stop_by = 0.0
        self._ended = allocate_lock()

    def start(self) -> None:
        """Start the thread, which starts the hosts."""
        self._ended.acquire()
        start_new_thread(self._run, ())

    def reload(self) -> None:
        """Read what is needed anew and replace every host that runs."""
        self._wake(b"r")

    def read_again(self) -> None:
        """Read what is needed anew, and leave alone what runs and still is."""
        self._wake(b"c")

    def begin_to_stop(self, seconds: float = STOP_SECONDS) -> None:
        """Have the hosts end; those that do not within `seconds` are killed."""
        self._stop_by = time.monotonic() + seconds
        self._stopping = True
        self._wake(b"s")

    def join(self, seconds: float) -> bool:
        """Wait for the end of all hosts. False: it has not come."""
        if not self._ended.acquire(timeout=seconds):
            return False
        self._ended.release()
        return True

    def forget(self) -> None:
        """In a forked child: close what is the parent's."""
        for descriptor in [self._wake_read, self._wake_write] + [
            child.descriptor for host in self._hosts.values() for child in host.children()
        ]:
            if descriptor >= 0:
                os.close(descriptor)

    def _wake(self, why: bytes) -> None:
        try:
            os.write(self._wake_write, why)
        except BlockingIOError:  # there is more than enough to wake up for
            return

    # ---- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            if not self._is_own():
                return
            self._look_for_handlers(time.monotonic())
            while not self._stopping:
                now = time.monotonic()
                self._look_at_files(now)
                for host in self._hosts.values():
                    host.tick(now)
                asked = self._wait(self._get_wait(now))
                if b"r" in asked:
                    self._replace_all(time.monotonic())
                elif b"c" in asked:
                    self._look_for_handlers(time.monotonic())
            self._stop_all()
        except Exception as error:  # the server must go on, and somebody must know
            self._say("ERROR", f"handlers are no longer watched: {type(error).__name__}: {error}")
        finally:
            self._ended.release()

    def _is_own(self) -> bool:
        """Whether the socket is this process's. Of two servers of a bench one has it."""
        path, found = self._told.socket, 0
        peer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            peer.connect(path)
            found = struct.unpack(
                "3i", peer.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
            )[0]
        except OSError as error:
            self._say("WARNING", f"handlers do not run: {path}: {error.strerror}")
        finally:
            peer.close()
        if found and found != self._told.parent:
            self._say(
                "WARNING",
                f"handlers do not run here: {path} belongs to the server of process {found}",
            )
        return found == self._told.parent

    def _wait(self, seconds: float | None) -> bytes:
        """Until a host ends, somebody wakes us, or the time is over. Returns what is asked."""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if self._requests:
            poll.register(self._requests.descriptor, select.POLLIN)
        for host in self._hosts.values():
            for child in host.children():
                if not child.reaped:
                    poll.register(child.descriptor, select.POLLIN)
        poll.poll(None if seconds is None else max(0, int(seconds * 1000) + 1))
        asked = b"r" if self._requests and self._requests.take() == "reload" else b""
        try:
            return asked + os.read(self._wake_read, 4096)
        except BlockingIOError:
            return asked

    def _get_wait(self, now: float) -> float | None:
        due = [host.get_due() for host in self._hosts.values()]
        if self._developing:
            due.append(self._next_look)
        times = [at for at in due if at is not None]
        return min(times) - now if times else None

    def _look_for_handlers(self, now: float) -> None:
        """Which hosts are needed, by the configuration and the apps as they are now."""
        try:
            effective = config.load(self._told.bench, **self._overrides)
        except ValueError as error:
            self._say("WARNING", f"the configuration is not read again: {error}")
        else:
            self._developing = bool(effective["developer_mode"])
        self._files = apps.find_handlers(self._told.bench)
        self._stamps = {language: apps.stamp(files) for language, files in self._files.items()}
        self._next_look = now + LOOK_SECONDS
        for language in self._files:
            if language not in self._hosts and self._can_run(language):
                self._hosts[language] = Host(language, self._get_start(language), self._say)
        for language, host in self._hosts.items():
            if language in self._files:
                host.wanted = True
            elif host.wanted:
                host.end()

    def _can_run(self, language: str) -> bool:
        if language != "node" or _find_program("node"):
            return True
        if not self._missing_node:
            self._missing_node = True
            self._say(
                "WARNING",
                f"the JavaScript handlers of {', '.join(self._files['node'])} do not run: there is "
                "no node in PATH; install Node 18 or later, then `python -m frappe_rt reload`",
            )
        return False

    def _look_at_files(self, now: float) -> None:
        if not self._developing or now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        found = apps.find_handlers(self._told.bench)
        stamps = {language: apps.stamp(files) for language, files in found.items()}
        if stamps == self._stamps:
            return
        changed = [name for name in stamps if stamps[name] != self._stamps.get(name)]
        known = set(self._hosts)
        self._look_for_handlers(now)
        for language in changed:
            if language in known:
                self._say("INFO", f"{NAMES[language]} handlers have changed")
                self._hosts[language].reload(now)

    def _replace_all(self, now: float) -> None:
        known = set(self._hosts)
        self._look_for_handlers(now)
        for language in known:
            if self._hosts[language].wanted:
                self._hosts[language].reload(now)

    def _get_start(self, language: str) -> Callable[[str, str | None], Child]:
        def start(id: str, replaces: str | None) -> Child:
            return Child(self._get_command(language, id, replaces), id, self._log)

        return start

    def _get_command(self, language: str, id: str, replaces: str | None) -> list[str]:
        bench, socket, parent = self._told
        if language == "python":
            program = [_find_python(bench), "-u", "-m", "frappe_rt.handlers"]
        else:
            node = _find_program("node")
            if not node:
                raise FileNotFoundError(2, "there is no node in PATH")
            program = [node, str(HOST_JS)]
        options = ["--bench", bench, "--socket", socket, "--id", id, "--parent", str(parent)]
        return program + options + (["--replaces", replaces] if replaces else [])

    def _stop_all(self) -> None:
        for host in self._hosts.values():
            host.end()
        while self._count_alive():
            left = self._stop_by - time.monotonic()
            if left <= 0:
                break
            self._wait(left)
        for host in self._hosts.values():
            for child in host.children():
                child.kill(signal.SIGKILL)
        while self._count_alive():
            self._wait(STOP_SECONDS)

    def _count_alive(self) -> int:
        alive = 0
        for host in self._hosts.values():
            for child in host.children():
                if not child.reaped and child.has_ended():
                    child.reap()
                alive += not child.reaped
        return alive

    def _say(self, level: str, text: str) -> None:
        _say(self._log, level, text)


def _say(log: int, level: str, text: str) -> None:
    """A line as the server's own."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    line = f"{stamp},{int(now % 1 * 1000):03} {level} frappe_rt.handlers {text}\n"
    try:
        os.write(log, line.encode())
    except OSError:  # nobody to tell
        return


def tell_no_socket(bench: str, why: str, log: int) -> None:
    """Say that handlers do not run, where some app has any."""
    if apps.find_handlers(bench):
        _say(log, "WARNING", f"handlers do not run: they need the local socket, and {why}")


def _find_python(bench: str) -> str:
    """The Python that has the apps: that of the bench, or the one that runs here."""
    own = Path(bench, "env")
    if Path(sys.prefix).resolve() == own.resolve() or not (own / "bin/python").exists():
        return sys.executable
    return str(own / "bin/python")


def _find_program(name: str) -> str | None:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)  # noqa: PTH118, a relative folder stays one
        if os.access(path, os.X_OK) and not Path(path).is_dir():
            return path
    return None


_current: Supervisor | None = None


def start(
    bench: str,
    socket: str,
    overrides: dict[str, object],
    log: int = 2,
    requests: Requests | None = None,
) -> Supervisor:
    """Watch over the hosts of the server of this process, whose local socket is `socket`."""
    global _current
    _current = Supervisor(bench, socket, overrides, log, requests)
    _current.start()
    return _current


def _forget_in_child() -> None:
    """The hosts are the parent's."""
    global _current
    if _current:
        _current.forget()
        _current = None


os.register_at_fork(after_in_child=_forget_in_child)
