"""Change a bench's process files from Node's realtime server to ours, and back.

Only lines that start a known realtime server are changed. Each change keeps the old line as a
comment above the new one, so that an undo restores the file byte for byte. Lines written by hand
are not changed but reported.
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

#: The start of a comment that keeps an old line; the rest of the comment is that line.
KEPT = "before frappe_rt: "
#: Stands for the old line if there was none.
NOTHING = "(nothing)"
OURS = "-m frappe_rt serve"
#: The commands that start Frappe's own servers: Node's, by bench or by hand, and the Python ones.
KNOWN = re.compile(r"\bsocketio\.js\b|\bbench\s+socketio\b|-m\s+frappe\.realtime\.server\b")


#: The address of the realtime server in bench's nginx.conf.
_SOCKETIO_UPSTREAM = re.compile(r"upstream\s+\S*socketio\S*\s*\{\s*server\s+([^\s;]+)")


class Refused(Exception):
    """A file has a line that we must not change. The message says which."""


@dataclass
class Change:
    """One file: its old and its new text."""

    path: Path
    before: str
    after: str

    def get_diff(self) -> str:
        """A unified diff, empty when nothing changes."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        name = str(self.path)
        return "".join(unified_diff(before, after, name, name, n=2))

    def write(self) -> None:
        """Write the new text into the file; links, owner and mode stay."""
        if _read(self.path) != self.before:
            raise Refused(f"{self.path} has changed meanwhile; run setup again")
        self.path.write_bytes(self.after.encode())


def _read(path: Path) -> str:
    """The text of a file, without translating line ends."""
    return path.read_bytes().decode()


def _end_alike(text: str, before: str) -> str:
    """Remove the final newline if the old text had none."""
    return text if before.endswith("\n") else text.removesuffix("\n").removesuffix("\r")


@dataclass
class Plan:
    """The changes, and remarks for the user."""

    changes: list[Change] = field(default_factory=list)
    #: One line each.
    remarks: list[str] = field(default_factory=list)
    #: Commands to run after the files have been written.
    then: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Kind:
    """A kind of file, and its lines that may start a server."""

    #: Matches the start of the line, up to the command.
    head: re.Pattern[str]
    comment: str
    #: The command to write.
    get_command: Callable[[Path, Path], str]


def _relative(bench: Path, python: Path) -> str:
    """The command in a Procfile, whose processes start in the bench."""
    shown = python.relative_to(bench) if python.is_relative_to(bench) else python
    return f"{shlex.quote(str(shown))} {OURS}"


def _absolute(bench: Path, python: Path) -> str:
    return f"{shlex.quote(str(python))} {OURS} --bench {shlex.quote(str(bench))}"


_PROCFILE = _Kind(re.compile(r"socketio:\s*"), "#", _relative)
_SUPERVISOR = _Kind(re.compile(r"command\s*=\s*"), ";", _absolute)
_SYSTEMD = _Kind(re.compile(r"ExecStart\s*=\s*"), "#", _absolute)


def get_python(bench: Path) -> Path:
    """The interpreter of the bench's environment, else the running one."""
    own = bench / "env/bin/python"
    return own if own.exists() else Path(sys.executable)


def plan(bench: Path, *, undo: bool = False) -> Plan:
    """What `setup` would change in this bench. Writes nothing.

    Raises Refused if a line starts an unknown server, ValueError if the configuration is wrong.
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
                f"{path}, line {number}: {line.strip()!r} is not a known way to start a realtime "
                f"server; change it by hand to: {head.group()}{command}"
            )
    if kind is _PROCFILE and not concerned:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines += [f"{kind.comment} {KEPT}{NOTHING}\n", f"socketio: {command}\n"]
    return _end_alike("".join(lines), text)


def _undo(text: str, kind: _Kind) -> str:
    """Put each kept line in place of the line below it, if that is still ours."""
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
    """Add remarks on whether browsers find the server: the keys it uses, and where nginx points.

    The user need not add any key: the defaults are those of Frappe's own server.
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
        result.remarks.append(f"{path} has no location /socket.io; add this to it:\n\n{block}")
    elif upstream and upstream[1] != where:
        result.remarks.append(
            f"{path} points to {upstream[1]}, but the server listens on {where}: set "
            "socketio_port in sites/common_site_config.json to that port, or run bench setup nginx"
        )
    else:
        result.remarks.append(f"{path} already points there; no change")
