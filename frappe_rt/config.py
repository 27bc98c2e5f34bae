"""The effective configuration of a bench. The parser is the server's own, in C.

A key may be in several places; the last of these counts: default, ``<bench>/config.json``,
``<bench>/sites/common_site_config.json``, environment, what the caller gives.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from frappe_rt import _rt


class Config:
    """The effective value of each key, and where it is from."""

    def __init__(self, bench: str | None, found: dict[str, Any]) -> None:
        self.bench = bench
        self.values: dict[str, Any] = found["values"]
        #: ``{key: {"value", "from", "default", "environment", "help"}}``; passwords are masked.
        self.sources: dict[str, dict[str, Any]] = found["sources"]
        #: Path of the socket where a server of this bench takes publishes. None: there is none.
        self.local_socket: str | None = found.get("local_socket")
        #: Why there is none.
        self.no_local_socket: str = found.get("no_local_socket", "")

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


class Given(NamedTuple):
    """What `frappe_rt.start` was given. A forked child publishes by the same configuration."""

    #: None: the one around the working directory; "": none.
    bench: str | None = None
    site: str | None = None
    overrides: dict[str, Any] = {}  # noqa: RUF012, never written to


#: Set by `frappe_rt.start`, reset by `frappe_rt.stop`.
given = Given()

_cached: tuple[Given, Config] | None = None


def find_bench(folder: str | os.PathLike[str] | None = None) -> str | None:
    """The bench this process belongs to: an absolute path, or None.

    ``FRAPPE_BENCH_ROOT``, else the first of `folder` (default: the working directory) and its
    parents that has ``sites/`` and ``apps/``.
    """
    root = os.environ.get("FRAPPE_BENCH_ROOT")
    if root and folder is None:
        return str(Path(root).absolute())
    try:
        here = Path(folder or Path.cwd()).absolute()
    except OSError:  # the working directory has been removed, or cannot be read
        return None
    for place in (here, *here.parents):
        with suppress(OSError):  # a folder that this user cannot read is not its bench
            if (place / "sites").is_dir() and (place / "apps").is_dir():
                return str(place)
    return None


def get_files(bench: str | None) -> list[Path]:
    """The files that the configuration of a bench is read from. They may not exist."""
    if not bench:
        return []
    return [Path(bench, name) for name in ("config.json", "sites/common_site_config.json")]


def encode_overrides(overrides: dict[str, Any]) -> str | None:
    """The JSON text that the extension takes. None stands for a key that is not given."""
    kept = {key: value for key, value in overrides.items() if value is not None}
    return json.dumps(kept) if kept else None


def load(bench: str | None = None, **overrides: Any) -> Config:
    """Read the configuration of `bench`; None: the one around here, if any; "": none.

    Raises ValueError. The message names the file, the line or key, and what was expected.
    """
    bench = (find_bench() if bench is None else bench) or None
    return Config(bench, json.loads(_rt.load_config(bench, encode_overrides(overrides))))


def get_effective() -> Config:
    """The configuration this process publishes by, read once. Raises ValueError as `load` does."""
    global _cached
    if _cached is None or _cached[0] is not given:
        _cached = given, load(given.bench, **given.overrides)
    return _cached[1]


def give(what: Given) -> None:
    """Replace `given`. The configuration is read again when it is next needed."""
    global given
    given = what
