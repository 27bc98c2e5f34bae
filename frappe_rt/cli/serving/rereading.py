"""Read the configuration again on SIGHUP, and when one of its files changes."""

from __future__ import annotations

from pathlib import Path

from frappe_rt import config, server
from frappe_rt.cli.serving.log_file import LogFile
from frappe_rt.terminal import YELLOW, say


class Rereading:
    """The files of the configuration, as they were at the last look."""

    def __init__(self, bench: str | None, log: LogFile | None) -> None:
        self.log = log
        self.files = config.get_files(config.find_bench() if bench is None else bench)
        self.seen = self._look()

    def _look(self) -> list[tuple[int, ...] | None]:
        return [_identify(path) for path in self.files]

    def on_hangup(self) -> None:
        """Reopen the log and read the configuration again."""
        if self.log:
            self.log.reopen()
        self.seen = self._look()
        # The hosts that run still have the old log file.
        self.read_again(replace_handlers=self.log is not None)

    def on_look(self) -> None:
        """Read the configuration again if a file has changed since the last look."""
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
    """Time, size and inode, which change when the file does. None: there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
