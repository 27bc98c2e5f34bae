"""The file of ``--log-file``."""

from __future__ import annotations

import errno
import os

from frappe_rt.terminal import fail, say


class LogFile:
    """A file that lines are appended to. The server thread writes to its descriptor, too."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.descriptor = self._open()
        except OSError as error:
            fail(f"cannot write to {path} (--log-file): {_explain(error)}")

    def _open(self) -> int:
        """Never wait for a reader of a FIFO: no signal would end that."""
        how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self.path, how, 0o644)
        os.set_blocking(descriptor, True)  # the handler hosts inherit it as their stderr
        return descriptor

    def reopen(self) -> None:
        """Go on in a new file of that name, after a log rotation has renamed the old one.

        The descriptor keeps its number.
        """
        try:
            fresh = self._open()
        except OSError as error:
            say(f"cannot write to {self.path} again: {_explain(error)}; going on in the old file")
            return
        os.dup2(fresh, self.descriptor, inheritable=False)
        os.close(fresh)


def _explain(error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return "it is a FIFO that nobody reads; start the reader first"
    return str(error.strerror)
