"""Which apps of a bench have handlers, and in which files. Nothing is imported to find out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

#: Its handlers, in the generation that has some, are what the server itself does.
CORE_APP = "frappe"


def get_apps(bench: str) -> list[str]:
    """The apps of ``sites/apps.txt`` in its order, without Frappe."""
    try:
        text = Path(bench, "sites/apps.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    names = dict.fromkeys(line.strip() for line in text.splitlines())
    return [name for name in names if name and name != CORE_APP and not name.startswith("#")]


def find_python(bench: str, app: str) -> Path | None:
    """The module ``<app>.realtime.handlers``: its file, or None."""
    folder = Path(bench, "apps", app, app, "realtime")
    for found in (folder / "handlers.py", folder / "handlers/__init__.py"):
        if _is_file(found):
            return found
    return None


def find_javascript(bench: str, app: str) -> Path | None:
    """The app's ``realtime/handlers.js``, or None."""
    found = Path(bench, "apps", app, "realtime/handlers.js")
    return found if _is_file(found) else None


def _is_file(path: Path) -> bool:
    """Where it cannot be looked at either (the folder is another user's, the name no name), the
    other apps' handlers run."""
    try:
        return path.is_file()
    except OSError:
        return False


def find_handlers(bench: str) -> dict[str, dict[str, Path]]:
    """Language -> app -> file: ``python``, and ``node`` for apps that ship no Python ones."""
    found: dict[str, dict[str, Path]] = {}
    for app in get_apps(bench):
        if file := find_python(bench, app):
            found.setdefault("python", {})[app] = file
        elif file := find_javascript(bench, app):
            found.setdefault("node", {})[app] = file
    return found


def stamp(files: dict[str, Path]) -> dict[str, tuple[int, int]]:
    """What changes when a handler file or a file beside it does: path -> time and size."""
    return dict(_look(files))


def _look(files: dict[str, Path]) -> Iterator[tuple[str, tuple[int, int]]]:
    for file in files.values():
        try:
            for beside in file.parent.glob(f"*{file.suffix}"):
                seen = beside.stat()
                yield str(beside), (seen.st_mtime_ns, seen.st_size)
        except OSError:  # gone since: the next look sees another state
            continue
