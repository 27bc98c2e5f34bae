"""The processes of one host: the current one, at times its successor, and those that are ending.

         due                       {"rt":"reload"}, a changed file
 WAITING ────► one runs ◄───────────────────────────────────────► it and a successor run
    ▲             │ it ends     one of the two ends; the old one
    └─────────────┘             does when the new one is ready
   each pause is longer than the last, until a process has lived for a while

Nothing here waits, and nothing touches a signal disposition or SIGCHLD (see `supervisor`).
"""

from __future__ import annotations

import os
import select
import signal
import time
from binascii import hexlify
from collections.abc import Callable
from contextlib import suppress

#: Seconds from the end of a process to its next start: the first pause and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
#: After a process has lived for so many seconds, the next pause is the first again.
HEALTHY_SECONDS = 60.0
#: Seconds until a successor must be ready.
SUCCEED_SECONDS = 60.0
NAMES = {"python": "Python", "node": "JavaScript"}


class Child:
    """One process of a host."""

    def __init__(
        self, command: list[str], id: str, descriptor: int, environment: dict[str, str]
    ) -> None:
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
            environment,
            file_actions=actions,
            setpgroup=0,  # Ctrl-C of a terminal must reach the server only; it stops the host
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
        )
        self.reaped = False
        try:
            self.descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:  # it has ended, and other code of this process has reaped it
            self.descriptor = -1
            self.reaped = True
        except OSError as error:
            self.descriptor = -1
            self.kill(signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            raise OSError(error.errno, f"pidfd_open: {error.strerror}") from None

    def has_ended(self) -> bool:
        if self.reaped:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def reap(self) -> str:
        """Reap it after its end. Returns how it ended, as text for a message."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # other code of this process has reaped it
            pid = 0
        self.reaped = True
        self.close()
        if not pid:
            return "ended"
        code = os.waitstatus_to_exitcode(status)
        return f"ended by signal {-code}" if code < 0 else f"ended with status {code}"

    def close(self) -> None:
        """Close the pidfd. The process goes on."""
        # The number goes first: a child that is forked in between must not close another file.
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def kill(self, number: int) -> None:
        """Send signal `number`, through the pidfd: the pid itself may be reused."""
        if self.reaped:
            return
        try:
            if self.descriptor >= 0:
                signal.pidfd_send_signal(self.descriptor, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return


class Host:
    """The host of one language, with all its processes."""

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
        self.due = 0.0  # when the next process starts, if none runs
        self.pause = FIRST_PAUSE
        self.wanted = True
        self.reload_again = False

    def children(self) -> list[Child]:
        found = [self.current, self.successor, *self.leaving]
        return [child for child in found if child]

    def tick(self, now: float) -> None:
        """Handle what has ended, and start what is due."""
        for child in [child for child in self.leaving if child.has_ended()]:
            child.reap()
            self.leaving.remove(child)
        if self.successor:
            self._look_at_successor(self.successor, now)
        if self.current and self.current.has_ended():
            self._on_end(self.current, now)
        if self.reload_again and not self.successor:
            self.reload_again = False
            self.reload(now)
        if self.wanted and not self.current and now >= self.due:
            self.current = self._try_to_start(None, now)

    def _look_at_successor(self, successor: Child, now: float) -> None:
        if successor.has_ended():
            how = successor.reap()
            self.successor = None
            if self.wanted:
                self._say("ERROR", f"the new {self.name} handlers {how}; the old ones go on")
        elif now - successor.since > SUCCEED_SECONDS:
            successor.kill(signal.SIGKILL)
            self.leaving.append(successor)
            self.successor = None
            self._say(
                "ERROR",
                f"the new {self.name} handlers were not ready in {SUCCEED_SECONDS:g} seconds; "
                "the old ones go on",
            )

    def _on_end(self, child: Child, now: float) -> None:
        how = child.reap()
        # The successor, if any, is the current one now, whether the old one was told to go or died.
        self.current, self.successor = self.successor, None
        if not self.wanted:
            return
        if self.current:
            self._say("INFO", f"the new {self.name} handlers have taken over")
            return
        if now - child.since >= HEALTHY_SECONDS:
            self.pause = FIRST_PAUSE
        self.due = now + self.pause
        self._say(
            "ERROR",
            f"the {self.name} handlers (process {child.pid}) {how} after "
            f"{now - child.since:.1f} seconds; starting them again in {self.pause:g}",
        )
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def _try_to_start(self, replaces: str | None, now: float) -> Child | None:
        id = hexlify(os.urandom(10)).decode()
        try:
            return self._start(id, replaces)
        except OSError as error:
            why = error.strerror or error
            if replaces:
                self._say(
                    "ERROR",
                    f"the new {self.name} handlers cannot be started ({why}); the old ones go on",
                )
                return None
            self.due = now + self.pause
            self._say(
                "ERROR",
                f"the {self.name} handlers cannot be started ({why}); "
                f"trying again in {self.pause:g} seconds",
            )
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
            return None

    def reload(self, now: float) -> None:
        """Start a successor. The process that runs goes on until the successor is ready."""
        self.pause = FIRST_PAUSE
        if not self.current:
            self.due = now
        elif self.successor:
            self.reload_again = True
        else:
            self.successor = self._try_to_start(self.current.id, now)

    def get_due(self) -> float | None:
        """When to call `tick` next, if no process ends before."""
        if self.successor:
            return self.successor.since + SUCCEED_SECONDS
        return self.due if self.wanted and not self.current else None

    def end(self) -> None:
        """End all processes: no app needs them any more."""
        self.wanted = self.reload_again = False
        for child in self.children():
            child.kill(signal.SIGTERM)
