"""Changing a bench's process files from Node's realtime server to ours, and back.

Only lines that start a known realtime server are touched, and each change keeps the line that was
there as a comment above the new one, so that it can be undone to the byte. What somebody has
written by hand is left alone and named.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from frappe_rt import config
from frappe_rt.bench import nginx

#: Begins the comment that keeps a line; the rest of it is the line as it was.
KEPT = "before frappe_rt: "
#: Stands there instead of a line when there was none.
NOTHING = "(nothing)"
OURS = "-m frappe_rt serve"
#: How Frappe's own servers are started, by bench, by hand or by the newer ones in Python.
KNOWN = re.compile(r"\bsocketio\.js\b|\bbench\s+socketio\b|-m\s+frappe\.realtime\.server\b")


#: Where bench's nginx.conf says that the realtime server is.
_SOCKETIO_UPSTREAM = re.compile(r"upstream\s+\S*socketio\S*\s*\{\s*server\s+([^\s;]+)")


class Refused(Exception):
    """A file holds something that is not ours to change. The message says where and what."""


@dataclass
class Change:
    """One file, as it is and as it shall be."""

    path: Path
    before: str
    after: str

    def get_diff(self) -> str:
        """A unified diff, empty when nothing changes."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        name = str(self.path)
        return "".join(unified_diff(before, after, name, name, n=2))

    def write(self) -> None:
        """Replace what is in the file; links, owner and mode stay."""
        if _read(self.path) != self.before:
            raise Refused(f"{self.path} has changed meanwhile; run setup again")
        self.path.write_bytes(self.after.encode())


def _read(path: Path) -> str:
    """As it is: line ends are not translated."""
    return path.read_bytes().decode()


def _end_alike(text: str, before: str) -> str:
    """Without the last line's end where there was none before."""
    return text if before.endswith("\n") else text.removesuffix("\n").removesuffix("\r")


@dataclass
class Plan:
    """What is to be changed, and what people have to know."""

    changes: list[Change] = field(default_factory=list)
    #: One line each.
    remarks: list[str] = field(default_factory=list)
    #: Commands to run after the files have been written.
    then: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Kind:
    """A kind of file: the lines that may start a server in it."""

    #: The line's beginning up to the command.
    head: re.Pattern[str]
    comment: str
    #: What is written as the command.
    get_command: Callable[[Path, Path], str]


def _relative(bench: Path, python: Path) -> str:
    """For a Procfile, whose processes start in the bench."""
    shown = python.relative_to(bench) if python.is_relative_to(bench) else python
    return f"{shlex.quote(str(shown))} {OURS}"


def _absolute(bench: Path, python: Path) -> str:
    return f"{shlex.quote(str(python))} {OURS} --bench {shlex.quote(str(bench))}"


_PROCFILE = _Kind(re.compile(r"socketio:\s*"), "#", _relative)
_SUPERVISOR = _Kind(re.compile(r"command\s*=\s*"), ";", _absolute)
_SYSTEMD = _Kind(re.compile(r"ExecStart\s*=\s*"), "#", _absolute)


def get_python(bench: Path) -> Path:
    """The interpreter of the bench's environment; without one, the one that runs here."""
    own = bench / "env/bin/python"
    return own if own.exists() else Path(sys.executable)


def plan(bench: Path, *, undo: bool = False) -> Plan:
    """What `setup` would change in this bench. Nothing is written.

    Raises Refused when a line starts a server in a way that is not known, ValueError when the
    configuration is wrong.
    """
    result = Plan()
    files = _find_files(bench)
    if not files and not undo:
        result.remarks.append(
            f"{bench} has no Procfile, config/supervisor.conf or config/systemd/*socketio*.service."
            f" A unit for systemd:\n\n{get_unit(bench)}"
        )
    for path, kind in files:
        text = _read(path)
        after = _undo(text, kind) if undo else _replace(path, text, kind, bench)
        if after != text:
            result.changes.append(Change(path, text, after))
            result.then += _get_commands(path)
    result.then = list(dict.fromkeys(result.then))
    if not undo:
        _look_at_config(bench, result)
    return result


def _find_files(bench: Path) -> list[tuple[Path, _Kind]]:
    found = [(bench / "Procfile", _PROCFILE), (bench / "config/supervisor.conf", _SUPERVISOR)]
    units = sorted((bench / "config/systemd").glob("*socketio*.service"))
    found += [(unit, _SYSTEMD) for unit in units]
    return [(path, kind) for path, kind in found if path.is_file()]


def get_unit(bench: Path) -> str:
    """A systemd unit that runs the server of this bench, for the bench's owner."""
    text = (Path(__file__).parent / "templates/frappe_rt.service").read_text(encoding="utf-8")
    values = {
        "@BENCH@": str(bench),
        "@USER@": bench.owner(),
        "@COMMAND@": _absolute(bench, get_python(bench)),
    }
    for place, value in values.items():
        text = text.replace(place, value)
    return text


def _replace(path: Path, text: str, kind: _Kind, bench: Path) -> str:
    command = kind.get_command(bench, get_python(bench))
    lines: list[str] = []
    concerned = False
    section = kind is not _SUPERVISOR
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if kind is _SUPERVISOR and line.startswith("["):
            section = line.startswith("[program:") and "socketio" in line
        head = kind.head.match(line)
        if not (section and head):
            lines.append(line)
            continue
        concerned = True
        old = line[head.end() :].rstrip("\r\n")
        end = line[head.end() + len(old) :] or "\n"
        if OURS in old:
            lines.append(line)
        elif KNOWN.search(old):
            lines += [
                f"{kind.comment} {KEPT}{line.removesuffix(end)}{end}",
                head.group() + command + end,
            ]
        else:
            raise Refused(
                f"{path}, line {number}: {line.strip()!r} starts no realtime server that is known; "
                f"change it by hand to: {head.group()}{command}"
            )
    if kind is _PROCFILE and not concerned:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines += [f"{kind.comment} {KEPT}{NOTHING}\n", f"socketio: {command}\n"]
    return _end_alike("".join(lines), text)


def _undo(text: str, kind: _Kind) -> str:
    """Each kept line instead of the one below it, if that is still ours."""
    mark = f"{kind.comment} {KEPT}"
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if OURS in line and lines and lines[-1].startswith(mark):
            kept = lines.pop()[len(mark) :]
            if kept.strip() != NOTHING:
                lines.append(kept)
        else:
            lines.append(line)
    return _end_alike("".join(lines), text)


def _get_commands(path: Path) -> list[str]:
    if path.name == "supervisor.conf":
        return ["sudo supervisorctl reread", "sudo supervisorctl update"]
    if path.suffix == ".service":
        return ["sudo systemctl daemon-reload", f"sudo systemctl restart {path.stem}"]
    return ["bench start  # again, if it runs"]


def _look_at_config(bench: Path, result: Plan) -> None:
    """Whether browsers find the server: the keys it goes by, and where nginx leads them.

    No key has to be added: the defaults are those of Frappe's own server.
    """
    effective = config.load(str(bench))
    port, uds = effective["socketio_port"], effective["socketio_uds"]
    where = f"unix:{uds}" if uds else f"127.0.0.1:{port}"
    for key in ("socketio_uds" if uds else "socketio_port", "redis_queue", "webserver_port"):
        source = effective.sources[key]
        result.remarks.append(f"{key}: {json.dumps(source['value'])} ({source['from']})")
    path = bench / "config/nginx.conf"
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    upstream = _SOCKETIO_UPSTREAM.search(text)
    if "location /socket.io" not in text:
        block = nginx.get_location(where)
        result.remarks.append(f"{path} has no location /socket.io; put this into it:\n\n{block}")
    elif upstream and upstream[1] != where:
        result.remarks.append(
            f"{path} leads to {upstream[1]}, and the server listens on {where}: set socketio_port "
            "in sites/common_site_config.json to that port, or have bench write nginx.conf anew"
        )
    else:
        result.remarks.append(f"{path} leads there already; it stays as it is")
