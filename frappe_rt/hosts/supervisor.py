"""The thread that starts, watches and stops the handler hosts of a server, in the same process.

This process may be gunicorn's master. So nothing here touches a signal disposition or SIGCHLD:
hosts are started by posix_spawn and watched by pidfd, and other code may reap them. The process
that serves imports this module, so it must not import asyncio, subprocess or logging.
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
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from frappe_rt import config
from frappe_rt.hosts import apps
from frappe_rt.hosts.processes import NAMES, Child, Host

#: Developer mode: seconds between two looks at the handler files.
LOOK_SECONDS = 1.0
#: Seconds between two looks at who has the local socket: the first pause and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
#: Seconds for the server at the local socket to accept.
CONNECT_SECONDS = 1.0
#: Seconds from SIGTERM to SIGKILL.
STOP_SECONDS = 1.0
#: The host that Node runs.
HOST_JS = Path(__file__).parents[1] / "handlers/host.js"


class Told(NamedTuple):
    """What a host is told on its command line."""

    bench: str
    socket: str
    parent: int


class Requests(NamedTuple):
    """Requests from the local socket: a descriptor that becomes readable, and how to take one."""

    descriptor: int
    take: Callable[[], str | None]


class Supervisor:
    """Watches from `start` until `begin_to_stop`."""

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
        #: A pipe that wakes the thread; -1 once the thread has ended.
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        #: Held to write to the pipe, or to close it.
        self._pipe_lock = allocate_lock()
        self._stopping = False
        self._stop_by = 0.0
        self._ended = allocate_lock()

    def start(self) -> None:
        """Start the thread, which starts the hosts."""
        self._ended.acquire()
        # Signals of the process must reach the thread that waits for them. Were one delivered to
        # this thread, Python would note it and not wake the other.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            start_new_thread(self._run, ())
        except BaseException:
            self._close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def reload(self) -> None:
        """Read the configuration and the apps again, and replace every host that runs."""
        self._wake(b"r")

    def read_again(self) -> None:
        """Read the configuration and the apps again. A host that is still needed goes on."""
        self._wake(b"c")

    def begin_to_stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask the hosts to end. Those that have not after `seconds` are killed."""
        self._stop_by = time.monotonic() + seconds
        self._stopping = True
        self._wake(b"s")

    def join(self, seconds: float) -> bool:
        """Wait for the end of all hosts, at most `seconds`. False: some still run."""
        if not self._ended.acquire(timeout=seconds):
            return False
        self._ended.release()
        return True

    def forget(self) -> None:
        """In a forked child: close the parent's descriptors."""
        # The numbers go first: a child that is forked in between must not close other files.
        pipe = self._wake_read, self._wake_write
        self._wake_read = self._wake_write = -1
        for descriptor in pipe:
            if descriptor >= 0:
                os.close(descriptor)
        for host in self._hosts.values():
            for child in host.children():
                child.close()

    def _close(self) -> None:
        """Close all descriptors at the end of the thread. Nobody is waiting to be woken then."""
        with self._pipe_lock:
            self.forget()
        self._ended.release()

    def _wake(self, why: bytes) -> None:
        with self._pipe_lock:
            if self._wake_write < 0:
                return
            try:
                os.write(self._wake_write, why)
            except BlockingIOError:  # the pipe is full, so the thread wakes up anyway
                return

    # ---- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._wait_for_socket()
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
        except Exception as error:  # the server must go on; say it in the log
            self._say("ERROR", f"handlers are no longer watched: {type(error).__name__}: {error}")
        finally:
            self._close()

    def _wait_for_socket(self) -> None:
        """Wait until the local socket belongs to this process. Of two servers of one bench, one has
        it; the other gets it when the first ends."""
        pause, told = FIRST_PAUSE, False
        while not self._stopping:
            hindrance = self._find_hindrance()
            if not hindrance:
                return
            if not told and apps.find_handlers(self._told.bench):
                told = True
                self._say("WARNING", f"handlers do not run yet: {self._told.socket} {hindrance}")
            self._wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _find_hindrance(self) -> str:
        """Why a host cannot attach to this process; empty when it can."""
        peer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            peer.settimeout(CONNECT_SECONDS)
            peer.connect(self._told.socket)
            credentials = peer.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        except OSError as error:
            return f"cannot be reached ({error.strerror or error})"
        finally:
            peer.close()
        pid = struct.unpack("3i", credentials)[0]
        return "" if pid == self._told.parent else f"belongs to the server of process {pid}"

    def _wait(self, seconds: float | None) -> bytes:
        """Wait until a host ends, a request comes, `_wake` is called or the time is over.

        Returns the letters that `_wake` was given; a request counts as ``r``.
        """
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
        """Decide which hosts are needed, by the configuration and the apps as they are now."""
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
            command = self._get_command(language, id, replaces)
            return Child(command, id, self._log, self._get_environment())

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

    def _get_environment(self) -> dict[str, str]:
        """Names the bench: from the files of a linked app, Frappe would find another folder."""
        return {**os.environ, "FRAPPE_BENCH_ROOT": self._told.bench}

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
    """Write a line in the format of the server's own log."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    line = f"{stamp},{int(now % 1 * 1000):03} {level} frappe_rt.handlers {text}\n"
    try:
        os.write(log, line.encode())
    except OSError:  # nobody reads the log
        return


def tell_no_socket(bench: str, why: str, log: int) -> None:
    """If an app has handlers, log that they do not run."""
    if apps.find_handlers(bench):
        _say(log, "WARNING", f"handlers do not run: they need the local socket, and {why}")


def _find_python(bench: str) -> str:
    """The Python that has the apps: the bench's own, else the one that runs here."""
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
    """Start to watch the hosts of this process's server, which has the local socket `socket`."""
    global _current
    _current = Supervisor(bench, socket, overrides, log, requests)
    _current.start()
    return _current


def _forget_in_child() -> None:
    """The hosts belong to the parent."""
    global _current
    if _current:
        _current.forget()
        _current = None


os.register_at_fork(after_in_child=_forget_in_child)
