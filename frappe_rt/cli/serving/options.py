"""The options of ``serve``: one table, for the reader here and for Click.

Click takes longer to import than the server to start. So `read` looks at the command line first and
takes plain options. Everything else (``--help``, a wrong value, an unknown option) is for Click,
which explains it: `frappe_rt.cli.serve` declares the same table.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

PORT_MOST = 65535
LOG_LEVELS = ("debug", "info", "warning", "error")

#: Kinds of options with a value ...
FOLDER, PORT, TEXT, LEVEL, FILE = "folder", "port", "text", "level", "file"
#: ... and without: ``--redis`` or ``--no-redis``; ``--die-with-parent`` or nothing.
SWITCH, FLAG = "switch", "flag"


class Option(NamedTuple):
    """One option of ``serve``."""

    name: str
    kind: str
    help: str
    #: The configuration key that it sets, if any.
    key: str | None = None
    metavar: str | None = None
    #: None: the option has no value unless given.
    default: Any = None

    @property
    def parameter(self) -> str:
        return self.name[2:].replace("-", "_")

    @property
    def opposite(self) -> str:
        """The name that turns a switch off."""
        return f"--no-{self.name[2:]}"


BENCH = Option(
    "--bench", FOLDER, "Folder of the bench; default: FRAPPE_BENCH_ROOT, else the one around here."
)
OPTIONS = (
    BENCH,
    Option("--port", PORT, "TCP port; 0 takes a free one.", "socketio_port"),
    Option("--uds", TEXT, "Listen on this Unix socket instead of a port.", "socketio_uds", "PATH"),
    Option("--host", TEXT, "Listen on this address only.", "frappe_rt_host", "ADDRESS"),
    Option("--redis", SWITCH, "Take events from Redis, or do not.", "frappe_rt_redis"),
    Option("--log-level", LEVEL, "What to log.", default="info"),
    Option(
        "--log-file", FILE, "Log to this file instead of stderr; SIGHUP opens it again."
    ),
    Option(
        "--die-with-parent", FLAG, "End when the process that started it does.", default=False
    ),
)  # fmt: skip


class Order(NamedTuple):
    """What the options of ``serve`` ask for. It passes through JSON (`run.become`)."""

    #: As `frappe_rt.start` takes them.
    bench: str | None
    overrides: dict[str, Any]
    #: One of `LOG_LEVELS`.
    log_level: str
    #: Path; None: stderr.
    log_file: str | None
    #: The process that ends this one when it ends; None: there is none.
    parent: int | None


def make_order(given: dict[str, Any]) -> Order:
    """The order for these parameters. What is missing has its default."""
    values = {option.parameter: option.default for option in OPTIONS} | given
    if values["port"] is not None:  # --port overrides a socketio_uds of the configuration
        values["uds"] = values["uds"] or ""
    return Order(
        values["bench"],
        {option.key: values[option.parameter] for option in OPTIONS if option.key},
        values["log_level"],
        values["log_file"],
        os.getppid() if values["die_with_parent"] else None,
    )


def read(arguments: list[str]) -> Order | None:
    """The order for these words of a command line. None: ask Click."""
    given: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument in _WITHOUT_VALUE:
            parameter, meant = _WITHOUT_VALUE[argument]
            given[parameter] = meant
            continue
        name, equals, text = argument.partition("=")
        option = _WITH_VALUE.get(name)
        if option is None:
            return None
        if not equals:
            text = next(rest, "-")
        value = None if text.startswith("-") else _READERS[option.kind](text)
        if value is None:
            return None
        given[option.parameter] = value
    return make_order(given)


def _read_port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    port = int(text)
    return port if port <= PORT_MOST else None


def _read_folder(text: str) -> str | None:
    path = Path(text).resolve()
    return str(path) if path.is_dir() and os.access(path, os.R_OK) else None


def _read_log_file(text: str) -> str | None:
    path = Path(text).resolve()
    if path.exists() and (path.is_dir() or not os.access(path, os.R_OK)):
        return None
    return str(path)


def _read_log_level(text: str) -> str | None:
    return text if text in LOG_LEVELS else None


#: Kind -> the function that reads a value. It returns None for one that Click must explain.
_READERS: dict[str, Callable[[str], Any]] = {
    FOLDER: _read_folder,
    PORT: _read_port,
    TEXT: str,
    LEVEL: _read_log_level,
    FILE: _read_log_file,
}
_WITH_VALUE = {option.name: option for option in OPTIONS if option.kind in _READERS}
#: Word -> parameter and value.
_WITHOUT_VALUE = {
    **{o.name: (o.parameter, True) for o in OPTIONS if o.kind in (SWITCH, FLAG)},
    **{o.opposite: (o.parameter, False) for o in OPTIONS if o.kind == SWITCH},
}
