"""Find the apps of a bench that have handlers, and the files. Imports none of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

#: Left out: the server itself implements Frappe's own handlers.
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
    """Whether it is a readable file. A folder of another user or an invalid name is no error, so
    that the handlers of other apps still run."""
    try:
        return path.is_file()
    except OSError:
        return False


def find_handlers(bench: str) -> dict[str, dict[str, Path]]:
    """Language -> app -> file: ``python``, and ``node`` for apps without Python handlers."""
    found: dict[str, dict[str, Path]] = {}
    for app in get_apps(bench):
        if file := find_python(bench, app):
            found.setdefault("python", {})[app] = file
        elif file := find_javascript(bench, app):
            found.setdefault("node", {})[app] = file
    return found


def stamp(files: dict[str, Path]) -> dict[str, tuple[int, int]]:
    """Path -> time and size of the handler files and the files beside them, to see changes."""
    return dict(_look(files))


def _look(files: dict[str, Path]) -> Iterator[tuple[str, tuple[int, int]]]:
    for file in files.values():
        try:
            for beside in file.parent.glob(f"*{file.suffix}"):
                seen = beside.stat()
                yield str(beside), (seen.st_mtime_ns, seen.st_size)
        except OSError:  # removed meanwhile; the next look sees that
            continue
