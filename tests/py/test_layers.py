"""Holds the C sources to docs/architecture.md: layers by their #include lines, inside a layer files
by the functions they define and name, and headers to say which results must be looked at."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"

# What a layer may include besides itself.
LAYERS = {
    "base": "",
    "json": "base",
    "wire": "base",
    "engineio": "base json wire",
    "socketio": "base json engineio",
    "frappe": "base json wire socketio",
    "net": "base wire engineio",
    "config": "base json",
    "hosts": "base json wire engineio socketio frappe",
    "publish": "base net frappe",
    "server": "base json wire engineio socketio frappe net config hosts",
    "process": "base json net frappe config publish server",
    "python": "base config publish process",
}

# Third-party headers, and the files or folders that own the library.
OWNERS = {
    r"llhttp\.h": "wire/http.c",
    r"zlib\.h": "engineio/compress.c",
    r"uv\.h": "net/",
    r"curl/.*": "net/curl_library.h net/web_multi.h net/web_multi.c net/webclient.c",
    r"dlfcn\.h": "net/curl_library.c",
    r"(async|hiredis|hiredis_ssl)\.h": "net/redis_io.h net/redis_io.c",
    r"openssl/.*": "net/redis_io.c",
    r"cJSON\.h": "config/parse.c",
    r"pthread\.h": "net/fds.c net/curl_library.c publish/ process/",
    r"Python\.h|structmember\.h": "python/",
}

# C and system headers that open nothing: all that the layers without I/O may use. (arpa/inet.h
# reads and writes addresses as text.)
PURE = (
    r"(assert|ctype|errno|inttypes|limits|math|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib"
    r"|string|strings|time|arpa/inet|sys/types|sys/uio)\.h"
)
IO_LAYERS = {"net", "config", "publish", "server", "process", "python"}
SYSTEM = (
    r"(dirent|fcntl|malloc|netdb|poll|pwd|sched|signal|unistd"
    r"|(linux|net|netinet|sys)/[a-z_/]+)\.h"
)
SYSTEM_ELSEWHERE = {"sys/random.h": "base/random.c base/map.c"}

# As many files of one folder may name each other's functions in a circle.
CIRCLE_MAX = 3


def owned(path: str, owners: str) -> bool:
    return any(path == o or (o.endswith("/") and path.startswith(o)) for o in owners.split())


def refusal(path: str, quote: str, header: str) -> str | None:
    """Why `path` (relative to csrc/) may not include `header`, or None when it may."""
    layer = path.split("/")[0]
    if quote == '"':
        if "/" not in header:
            return "name the layer"
        if header.split("/")[0] not in {layer, *LAYERS[layer].split()}:
            return f"{layer} may include only {LAYERS[layer] or 'itself'}"
        return None if (CSRC / header).is_file() else "no such file"
    for pattern, owners in OWNERS.items():
        if re.fullmatch(pattern, header):
            return None if owned(path, owners) else f"only {owners} may"
    if re.fullmatch(PURE, header):
        return None
    if re.fullmatch(SYSTEM, header):
        allowed = layer in IO_LAYERS or owned(path, SYSTEM_ELSEWHERE.get(header, ""))
        return None if allowed else "this layer does no I/O"
    return "an unknown header: give its library an owner here and in docs/architecture.md"


def includes(text: str) -> list[tuple[int, str, str]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\b\s*([<"]?)([^>"]*)', line)
        if match:
            found.append((number, match[1], match[2]))
    return found


def sources() -> list[str]:
    return sorted(str(p.relative_to(CSRC)) for p in CSRC.rglob("*.[ch]"))


@pytest.mark.parametrize("path", sources())
def test_includes(path: str) -> None:
    lines = includes((CSRC / path).read_text())
    refused = [
        f"csrc/{path}:{number}: {header}: {why}"
        for number, quote, header in lines
        if (why := refusal(path, quote, header))
    ]
    assert not refused, "\n".join(refused)


def code_of(text: str) -> str:
    """The text without comments and without what stands in quotes."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


# A definition starts a line; other files may use a header's inline functions, and of a `.c` those
# that are not static.
FUNCTION = r"[\w\s*]*?\b(rt_\w+)\([^;{}]*\) {\n(.*?)^}"
FUNCTION_OF = {
    ".c": re.compile("^(?!static|typedef)[a-zA-Z]" + FUNCTION, re.MULTILINE | re.DOTALL),
    ".h": re.compile("^static inline " + FUNCTION, re.MULTILINE | re.DOTALL),
}
DECLARATION = re.compile(r"^(?!typedef)[a-zA-Z][\w\s*]*?\b(rt_\w+)\([^;{}]*\);", re.MULTILINE)


def calls(files: dict[str, str]) -> dict[str, set[str]]:
    """Which of the files, given with their text, each one depends on: it names a function (`rt_*`)
    that the other one defines. Of a header only the inline functions count, not declarations."""
    owner = {}
    body = {}
    for path, text in files.items():
        code = code_of(text)
        found = FUNCTION_OF[path[-2:]].findall(code)
        owner.update({name: path for name, _ in found})
        body[path] = code if path.endswith(".c") else "".join(inside for _, inside in found)
    named = {path: re.findall(r"\brt_\w+", code) for path, code in body.items()}
    return {
        path: {owner[name] for name in names if name in owner} - {path}
        for path, names in named.items()
    }


def reached(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        new = graph[ahead.pop()] - seen
        seen |= new
        ahead.extend(new)
    return seen


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Each set of two or more files that all reach one another."""
    below = {path: reached(graph, path) for path in graph}
    return {
        frozenset(other for other in below[path] if path in below[other])
        for path in graph
        if path in below[path]
    }


def folder(name: str) -> dict[str, str]:
    return {f"{name}/{p.name}": p.read_text() for p in (CSRC / name).glob("*.[ch]")}


def test_every_file_is_in_a_layer() -> None:
    assert {path.split("/")[0] for path in sources()} <= LAYERS.keys()
    assert all(path.count("/") == 1 for path in sources())


def test_the_layers_have_an_order() -> None:
    """No layer reaches one that stands above it: the table itself has no circle."""
    order = list(LAYERS)
    for layer, below in LAYERS.items():
        assert all(order.index(name) < order.index(layer) for name in below.split())


def test_every_header_has_one_guard_named_after_it() -> None:
    for path in sources():
        if path.endswith(".h"):
            guard = "RT_" + re.sub(r"[/.]", "_", path).upper()
            text = (CSRC / path).read_text()
            assert f"#ifndef {guard}\n#define {guard}\n" in text, path


@pytest.mark.parametrize("layer", LAYERS)
def test_no_large_circle_of_files(layer: str) -> None:
    large = {" ".join(sorted(c)) for c in circles(calls(folder(layer))) if len(c) > CIRCLE_MAX}
    assert not large


def test_a_circle_is_found() -> None:
    """By a call, by a name in a table, and through an inline function of a header."""
    files = {
        "x/a.c": "void rt_a(void) {\n    rt_b(1);\n}\n",
        "x/b.c": "static const table t = {rt_c};\nint\nrt_b(int n) {\n    return n;\n}\n",
        "x/c.c": "int rt_c(int n,\n         int m) {\n    rt_inline();\n}\n",
        "x/i.h": "void rt_a(void);\nstatic inline void rt_inline(void) {\n    rt_a();\n}\n",
        "x/d.c": "/* rt_e() */\nvoid rt_d(void) {\n    rt_a();\n}\nstatic void rt_b(void) {\n}\n",
        "x/e.c": 'void rt_e(void) {\n    say("rt_a");\n    rt_d();\n}\n',
    }
    assert circles(calls(files)) == {frozenset({"x/a.c", "x/b.c", "x/c.c", "x/i.h"})}


@pytest.mark.parametrize("layer", LAYERS)
def test_no_definition_is_overlooked(layer: str) -> None:
    """Each function that a header of the folder declares is found where it is defined."""
    codes = {path: code_of(text) for path, text in folder(layer).items()}
    found = {
        name for path, code in codes.items() for name, _ in FUNCTION_OF[path[-2:]].findall(code)
    }
    declared = {
        name
        for path, code in codes.items()
        if path[-2:] == ".h"
        for name in DECLARATION.findall(code)
    }
    assert declared
    assert declared <= found


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("base/buf.c", '#include "json/scan.h"'),
        ("json/scan.c", '#include "wire/http.h"'),
        ("engineio/session.c", '# include "socketio/socketio.h"'),
        ("socketio/room.c", '#include "wire/http.h"'),
        ("net/conn.c", '#include "socketio/socketio.h"'),
        ("python/module.c", '#include "net/loop.h"'),
        ("base/buf.c", '#include "slice.h"'),
        ("base/buf.c", '#include "base/no_such_header.h"'),
        ("wire/ws.c", "#include <llhttp.h>"),
        ("server/thread.c", "#include <uv.h>"),
        ("net/conn.c", "#include <curl/curl.h>"),
        ("net/conn.c", "#include <hiredis.h>"),
        ("server/thread.c", "#include <cJSON.h>"),
        ("net/loop.c", "#include <pthread.h>"),
        ("server/thread.c", "#include <Python.h>"),
        ("engineio/session.c", "#include <sys/socket.h>"),
        ("json/scan.c", "#include <sys/random.h>"),
        ("net/conn.c", "#include <openssl/ssl.h>"),
        ("publish/publisher.c", "#include <async.h>"),
        ("net/conn.c", "#include <zlib.h>"),
        ("net/conn.c", "#include HEADER"),
    ],
)
def test_a_wrong_include_is_refused(path: str, line: str) -> None:
    [(_, quote, header)] = includes(line)
    assert refusal(path, quote, header)


# ---- results ----

# Writers into an rt_buf that fail only by setting its `err`, which stays until it is read: see
# csrc/base/buf.h. All other functions that return an int must have their results looked at.
WRITERS = {
    "base/buf.h": "rt_buf_(reserve|puts?|putc|put_u64|printf)",
    "config/config.h": "rt_config_put_values",
    "config/local_path.h": "rt_local_put_path",
    "frappe/envelope.h": "rt_envelope_put",
    "frappe/frappe.h": "rt_frappe_put_waiting_sites",
    "hosts/hosts.h": "rt_hosts_put",
    "hosts/state.h": "rt_host_put_names",
    "json/scan.h": "rt_json_copy_fixed",
    "json/write.h": "rt_json_put_(str|key|member_(str|u64|raw))",
    "server/instance.h": "rt_instance_put_(stats|figures|prometheus)",
    "wire/query.h": "rt_query_(de|en)code",
    "wire/reply.h": "rt_reply_(start|header|end)",
}
RESULT = re.compile(
    r"^ *(RT_MUST_CHECK )?(?:static inline )?int (?:(rt_\w+)|\(\*(\w+)\))(\([^;{]*)", re.MULTILINE
)


def unchecked(path: str, text: str) -> list[str]:
    """What a header declares that returns an int which a caller may ignore, and should not. A
    writer that must be checked after all has to leave the table."""
    wrong = []
    for must, function, member, parameters in RESULT.findall(code_of(text)):
        is_writer = bool(function and re.fullmatch(WRITERS.get(path, ""), function))
        if bool(must) is is_writer or (is_writer and "rt_buf *" not in parameters):
            wrong.append(function or member)
    return wrong


@pytest.mark.parametrize("path", [path for path in sources() if path.endswith(".h")])
def test_results_must_be_looked_at(path: str) -> None:
    assert not unchecked(path, (CSRC / path).read_text())


def test_the_table_of_writers_names_what_is_there() -> None:
    for path, names in WRITERS.items():
        assert any(
            re.fullmatch(names, name) for _, name, *_ in RESULT.findall((CSRC / path).read_text())
        )


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("net/conn.h", "int rt_conn_open(int fd);"),
        ("net/conn.h", "int rt_conn_open(int fd,\n                 rt_buf *out);"),
        ("net/conn.h", "    int (*send)(void *ctx, rt_slice bytes);"),
        ("wire/query.h", "RT_MUST_CHECK int rt_query_encode(rt_slice text, rt_buf *out);"),
        ("wire/query.h", "int rt_query_encode(rt_slice text);"),
    ],
)
def test_an_unchecked_result_is_found(path: str, line: str) -> None:
    assert unchecked(path, line)


# ---- state of the process ----

#: Rooms that may have mutable statics: what exists once per process lives there.
STATE_ROOMS = {"process", "publish"}
#: Files elsewhere that have some, and why.
STATE_ELSEWHERE = {
    "base/log.c": "every layer logs, to the one sink that process/ sets",
    "net/curl_library.c": "dlopen gives a library to the whole process",
    "net/fds.c": "descriptors are the process's; every layer that opens one records it here",
    "python/module.c": "CPython wants its table of methods writable",
    "python/server.c": "CPython wants lists of keywords writable",
    "python/text.c": "types of `datetime`, looked up once",
}
OBJECTS = (
    Path(__file__).parents[2]
    / "build"
    / ("asan/ext/csrc" if "FRAPPE_RT_SANITIZED" in os.environ else "plain/ext/csrc")
)


def mutable_statics(listing: str) -> set[str]:
    """Names of writable objects in what `objdump --syms` prints of one object file."""
    found = set()
    for line in listing.splitlines():
        match = re.match(r"[0-9a-f]+ [lgu].{5}O (\S+)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$", line)
        if not match or match[2].startswith((".", "__")):
            continue
        if re.match(r"\.t?(bss|data)\b", match[1]) and ".rel.ro" not in match[1]:
            found.add(match[2])
    return found


def test_mutable_statics_are_in_one_place() -> None:
    """A fork, a stop and another thread meet such state: it is looked for in two rooms."""
    states = {}
    for path in sources():
        if path.endswith(".c"):
            command = ["objdump", "--syms", OBJECTS / path.replace(".c", ".o")]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            if names := mutable_statics(printed):
                states[path] = names
    assert states["publish/remote.c"] >= {"publisher", "redis_turn"}
    elsewhere = {path for path in states if path.split("/")[0] not in STATE_ROOMS}
    assert elsewhere == STATE_ELSEWHERE.keys()


def test_no_source_includes_a_source() -> None:
    root = Path(__file__).parents[2]
    for folder in ("csrc", "tests/c", "tests/fuzz", "tests/conformance"):
        for path in (root / folder).rglob("*.[ch]"):
            wrong = [header for *_, header in includes(path.read_text()) if header.endswith(".c")]
            assert not wrong, f"{path} includes {wrong}"
