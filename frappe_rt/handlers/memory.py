"""Ends a host that has used up its memory.

A host has the limits of any process: ``ulimit -v``, a control group, the machine. If the kernel
does not kill it, Python raises MemoryError at the next allocation, and memory that a handler keeps
is not freed. Such a host could neither work nor log, so it ends and is started again. A handler
that only asked for too much at once has just failed, as with any other error.
"""

from __future__ import annotations

import os

#: Bytes that a host must be able to allocate after a MemoryError.
SPARE = 8 << 20
#: Exit status. Never 3 or 4: gunicorn's master would stop.
EXHAUSTED = 1

_LAST_WORDS = b"frappe_rt.handlers: the process has used up its memory, and ends\n"


def end_when_exhausted() -> None:
    """After a MemoryError: end the process unless memory is available again."""
    try:
        bytearray(SPARE)
    except MemoryError:
        os.write(2, _LAST_WORDS)
        os._exit(EXHAUSTED)
