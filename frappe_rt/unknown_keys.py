"""Find configuration keys that look like ours and are not: usually misspelt ones.

The parser in C ignores unknown keys. They are reported when a server starts or rereads its
configuration, and by `python -m frappe_rt config`; not by a publish.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from frappe_rt import _rt, config
from frappe_rt.loading import load

_PREFIX = "frappe_rt_"
_ENVIRONMENT_PREFIX = "FRAPPE_RT_"
#: How similar a name must be to be suggested, from 0 to 1; compared without the prefix.
_ALIKE = 0.6


def warn(bench: str, overrides: dict[str, Any]) -> None:
    """Write them to the log of the server that has just read its configuration."""
    with suppress(ValueError):  # broken since then; the next reading reports it
        for line in find(config.load(bench, **overrides)):
            _rt.warn("config", line)


def find(effective: config.Config) -> list[str]:
    """One line for people about each key without effect.

    Other programs have environment variables too: there, only names close to one of ours count.
    """
    keys = [key for key in effective.sources if key.startswith(_PREFIX)]
    names = [source["environment"] for source in effective.sources.values()]
    names = [name for name in names if name and name.startswith(_ENVIRONMENT_PREFIX)]
    found = [*_find_in_environment(names)]
    if effective.bench:
        bench = Path(effective.bench)
        found = [*_find_in_files(bench, keys), *_find_in_sites(bench, keys), *found]
    return [line.encode(errors="backslashreplace").decode() for line in found]


def _find_in_files(bench: Path, keys: list[str]) -> Iterator[str]:
    for path in config.get_files(str(bench)):
        for key in _read_keys(path):
            if key not in keys:
                yield _describe(f"{path.relative_to(bench)}: {key!r}", _get_near(key, keys))


def _find_in_sites(bench: Path, keys: list[str]) -> Iterator[str]:
    """None of our keys has an effect in the file of one site: a server has many sites."""
    for path in _list_site_files(bench / "sites"):
        for key in _read_keys(path):
            where = f"{path.relative_to(bench)}: {key!r}"
            if key in keys:
                yield f"{where} has no effect there, but in sites/common_site_config.json"
            else:
                yield _describe(where, _get_near(key, keys))


def _list_site_files(sites: Path) -> list[Path]:
    """The files may not exist."""
    try:
        return [folder / "site_config.json" for folder in sorted(sites.iterdir())]
    except OSError:
        return []


def _find_in_environment(names: list[str]) -> Iterator[str]:
    for name in sorted(os.environ):
        if name.startswith(_ENVIRONMENT_PREFIX) and name not in names:
            near = _get_near(name, names)
            if near:
                yield _describe(f"environment: {name!r}", near)


def _read_keys(path: Path) -> list[str]:
    """The keys with our prefix; none when the file is missing or broken."""
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    return [key for key in found if key.startswith(_PREFIX)] if isinstance(found, dict) else []


def _get_near(name: str, known: Iterable[str]) -> str | None:
    suffixes = {key[len(_PREFIX) :]: key for key in known}
    near = load("difflib").get_close_matches(name[len(_PREFIX) :], suffixes, 1, _ALIKE)
    return suffixes[near[0]] if near else None


def _describe(what: str, near: str | None) -> str:
    hint = f"did you mean {near}?" if near else "`python -m frappe_rt config` lists the keys"
    return f"{what} is not a key of frappe_rt and has no effect; {hint}"
