"""The options of ``serve`` as most people write them, read without Click.

Click takes longer to import than the server to start, and stays in memory. So the command line of
``serve`` comes here first; what is not plainly right (a wish for help, a wrong value, an unknown
option) goes on to `frappe_rt.cli.serve`, which knows the same options and explains them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from frappe_rt import serving


def _read_port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    port = int(text)
    return port if port <= serving.PORT_MOST else None


def _read_folder(text: str) -> str | None:
    path = Path(text).resolve()
    return str(path) if path.is_dir() and os.access(path, os.R_OK) else None


def _read_log_file(text: str) -> str | None:
    path = Path(text).resolve()
    if path.exists() and (path.is_dir() or not os.access(path, os.R_OK)):
        return None
    return str(path)


def _read_log_level(text: str) -> str | None:
    return text if text in serving.LOG_LEVELS else None


#: Option with a value -> its parameter of `serving.make_order`, and what reads the value (None: it
#: is not plainly right).
VALUES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "--bench": ("bench", _read_folder),
    "--port": ("port", _read_port),
    "--uds": ("uds", str),
    "--host": ("host", str),
    "--log-level": ("log_level", _read_log_level),
    "--log-file": ("log_file", _read_log_file),
}
#: Option without a value -> parameter and what it stands for.
FLAGS: dict[str, tuple[str, bool]] = {
    "--redis": ("redis", True),
    "--no-redis": ("redis", False),
    "--die-with-parent": ("die_with_parent", True),
}


def read(arguments: list[str]) -> dict[str, Any] | None:
    """The parameters of `serving.make_order`, or None: ask Click."""
    given: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if argument in FLAGS:
            parameter, meant = FLAGS[argument]
            given[parameter] = meant
            continue
        if name not in VALUES:
            return None
        if not equals:
            value = next(rest, "-")
        if value.startswith("-"):
            return None
        parameter, read_value = VALUES[name]
        given[parameter] = read_value(value)
        if given[parameter] is None:
            return None
    return given
