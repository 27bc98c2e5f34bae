"""How a host finds its bench, its server and its handlers."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from support.bench import PATIENCE
from support.host_server import HEAD, HostProcess, HostServer, ask, write_app


def start_by_hand(folder, *options):
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FRAPPE_") and name != "PYTHONUNBUFFERED"
    }
    return subprocess.Popen(
        [sys.executable, "-m", "frappe_rt.handlers", *options],
        cwd=folder,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_by_hand(bench):
    """Nothing is told: the bench is the one around, the server its own."""
    write_app(bench, "chat", "print('read')\n")
    with HostServer(bench / "config/frappe_rt.sock") as server:
        process = start_by_hand(bench / "sites")
        try:
            peer = server.wait_for_host()
            assert peer.hello["apps"] == ["chat"]
            assert len(peer.hello["id"]) == 20
            assert "replaces" not in peer.hello
            peer.say(op="drain")
            assert process.communicate(timeout=PATIENCE)[0] == "read\n"
            assert process.returncode == 0
        finally:
            process.kill()
            process.communicate()


def test_no_bench(tmp_path):
    process = start_by_hand(tmp_path)
    assert "no bench found; give --bench" in process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1


def test_local_socket_that_is_off(bench):
    common = bench / "sites/common_site_config.json"
    common.write_text('{"frappe_rt_local_socket": false}')
    process = start_by_hand(bench)
    assert "no server to attach to: " in process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1


IMPATIENT = "from frappe_rt.handlers import host\nhost.WELCOME_SECONDS = 0.2\n"


@pytest.mark.parametrize(
    "answer, why",
    [
        (b"", "the server has closed the connection"),
        (b'{"op":"welco', "the server has closed the connection"),
        (b'{"error":"duplicate id"}\n', "duplicate id"),
        (b'{"pong":true}\n', "the server does not know hosts"),
        (None, "timed out"),
    ],
)
def test_no_welcome(bench, answer, why):
    write_app(bench, "chat", IMPATIENT if answer is None else HEAD)
    path = str(bench / "rt.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        process = start_by_hand(bench, f"--socket={path}")
        peer, _ = listener.accept()
        with peer:
            assert peer.makefile("rb").readline()
            if answer is not None:
                peer.sendall(answer)
                peer.shutdown(socket.SHUT_RDWR)
            said = process.communicate(timeout=PATIENCE)[1]
    assert f"cannot attach to {path}: {why}" in said
    assert process.returncode == 1


def test_lines_that_come_with_the_welcome(bench):
    write_app(bench, "chat", HEAD + '@realtime.on("e")\nasync def e(socket): return "e"\n')
    lines = [
        {"op": "welcome", "version": 2, "server": "fake", "threads": 4},
        {"op": "connect", "s": "s1", "ns": "/one.localhost", "user": "ada", "apps": None},
        {"op": "event", "s": "s1", "e": "e", "i": 1},
    ]
    path = str(bench / "rt.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        process = start_by_hand(bench, f"--socket={path}")
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as stream:
            stream.readline()
            text = "".join(json.dumps(line) + "\n" for line in lines)
            peer.sendall(text.encode() + b'{"op":"drain"}\n')
            assert json.loads(stream.readline()) == {"op": "ack", "s": "s1", "i": 1, "a": ["e"]}
            process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_what_is_written_last_arrives(run):
    peer, process = run('@realtime.on("e")\nasync def e(socket): return "x" * 5_000_000\n')
    peer.connect("s1")
    peer.event("s1", "e", i=1)
    peer.say(op="drain")
    assert peer.read()["a"] == ["x" * 5_000_000]
    assert process.wait() == 0


def test_a_server_that_does_not_read_is_not_waited_for(run):
    peer, process = run(
        """
from frappe_rt.handlers import host
host.FLUSH_SECONDS = 0.2

@realtime.on("e")
async def e(socket):
    await socket.emit("begun")
    return "x" * 5_000_000
"""
    )
    go = threading.Event()
    peer._answer = lambda line: not go.wait(PATIENCE)
    peer.connect("s1")
    peer.event("s1", "e", i=1)
    peer.say(op="drain")
    assert process.wait() == 0
    go.set()


def test_a_host_goes_on_while_server_and_parent_do(bench, server):
    """Whoever watches them ends it at once when they are gone, and not before."""
    write_app(bench, "chat", HEAD + '@realtime.on("e")\nasync def e(socket): return "e"\n')
    (bench / "sitecustomize.py").write_text(
        "from frappe_rt.handlers import host\nhost.GRACE_SECONDS = 0\n"
    )
    path = os.pathsep.join([str(bench), *sys.path[1:]])
    with HostProcess(bench, server, f"--parent={os.getpid()}", PYTHONPATH=path) as process:
        peer = server.wait_for_host()
        peer.connect("s1")
        for _ in range(20):
            assert ask(peer, "s1", "e") == ["e"]
        peer.close()
        assert process.wait() == 1


def test_where_handlers_run(run, bench):
    peer, process = run(
        """
import os, sys

@realtime.on("where")
async def where(socket):
    return os.getcwd(), sys.path[0], sys.dont_write_bytecode
""",
        PYTHONDONTWRITEBYTECODE="",
    )
    peer.connect("s1")
    sites = os.path.realpath(bench / "sites")
    assert ask(peer, "s1", "where") == [sites, str(bench / "sites"), False]
    process.process.kill()
    process.wait()
    assert "frappe.realtime" not in process.log
    assert not list((bench / "apps/chat/chat/realtime").glob("__pycache__/handlers.*"))


def test_package_that_cannot_be_imported(run, bench):
    """What it lacks is told, other than where an app has no such package."""
    file = write_app(bench, "broken", HEAD)
    (file.parent / "__init__.py").write_text("import no_such_module\n")
    peer, process = run(HEAD)
    assert peer.hello["apps"] == ["chat"]
    process.read_log("handlers of chat")
    assert "the handlers of broken are off" in process.log
    assert "no_such_module" in process.log
