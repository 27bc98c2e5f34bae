"""A server as a handler host sees it: docs/handlers.md on a Unix socket, and what tests say."""

import json
import os
import queue
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

from support.bench import PATIENCE

#: What a file of handlers begins with.
HEAD = "from frappe_rt.handlers import Socket, SyncSocket, realtime\nimport asyncio, time\n"


class HostServer:
    """Listens at `path`. Each host that attaches is a `Peer` in `hosts`, and told of `threads` for
    plain handlers. Who asks which ones are attached is told `listed`; where that is None, nothing.
    """

    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.hosts = queue.Queue()
        self.peers = []
        self.refuse = None
        self.threads = 4
        self.listed = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            stream = connection.makefile("rb")
            hello = stream.readline()
            if not hello:  # it only wanted to see who listens
                stream.close()
                connection.close()
                continue
            if json.loads(hello) == {"rt": "hosts"}:
                with connection, stream:
                    if self.listed is not None:
                        connection.sendall(json.dumps({"hosts": self.listed}).encode() + b"\n")
                continue
            peer = Peer(connection, stream, json.loads(hello), self.refuse, self.threads)
            self.peers.append(peer)
            if self.refuse is None:
                self.hosts.put(peer)

    def wait_for_host(self):
        return self.hosts.get(timeout=PATIENCE)

    def __enter__(self):
        return self

    def stop_listening(self):
        # A thread waits in accept, which alone keeps a closed socket open.
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __exit__(self, *_):
        self.stop_listening()
        for peer in self.peers:
            peer.close()


class Peer:
    """One host that has said hello. What it says is read in the background."""

    def __init__(self, connection, stream, hello, refuse, threads):
        self.connection = connection
        self.stream = stream
        self.hello = hello
        self.rooms = {}  # room -> socket ids
        self.users = {}
        self.permissions = {}  # doctype -> answer
        self.lines = queue.Queue()
        self.writing = threading.Lock()
        self.reader = None
        if refuse:
            connection.sendall(json.dumps({"error": refuse}).encode() + b"\n")
            self.close()
            stream.close()
            return
        self.say(op="welcome", version=2, server="fake", web="http://web:1", threads=threads)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with suppress(OSError, ValueError):
            for text in self.stream:
                line = json.loads(text)
                if not self._answer(line):
                    self.lines.put(line)
        self.stream.close()
        self.lines.put(None)

    def _answer(self, line):
        """Questions that need no test, and the rooms they are about."""
        op, room = line["op"], line.get("r")
        if op == "join":
            self.rooms.setdefault(room, []).append(line["s"])
        elif op == "leave":
            self.rooms[room].remove(line["s"])
        elif op == "participants":
            found = [room] if room in self.users else self.rooms.get(room, [])
            self.result(line, sockets=[[sid, self.users[sid]] for sid in found])
            return True
        elif op == "permission":
            self.result(line, ok=self.permissions.get(line["doctype"], False))
        return False

    def result(self, line, **more):
        self.say(op="result", q=line["q"], **more)

    def say(self, **line):
        with self.writing:
            self.connection.sendall(json.dumps(line).encode() + b"\n")

    def read(self):
        """The host's next line; None: it has gone."""
        return self.lines.get(timeout=PATIENCE)

    def read_op(self, op):
        while (line := self.read()) is not None:
            if line["op"] == op:
                return line
        raise AssertionError(f"gone without {op}")

    def connect(self, sid, user="ada@example.com", apps=("frappe", "chat"), **more):
        self.users[sid] = user
        told = {"ns": "/one.localhost", "site": "one.localhost", "type": "System User", "sid": None}
        told |= {"user": user, "apps": None if apps is None else list(apps), "rooms": ["all"]}
        self.say(op="connect", s=sid, **(told | more))

    def event(self, sid, event, *arguments, **more):
        self.say(op="event", s=sid, e=event, a=list(arguments), **more)

    def disconnect(self, sid):
        for members in self.rooms.values():
            if sid in members:
                members.remove(sid)
        self.say(op="disconnect", s=sid, reason="transport close")

    def close(self):
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        if self.reader:
            self.reader.join(PATIENCE)
        self.stream.close()
        self.connection.close()


def write_app(bench, name, text, modules=None):
    """An app with Python handlers, in `bench` and its apps.txt."""
    package = bench / "apps" / name / name
    (package / "realtime").mkdir(parents=True)
    for folder in (package, package / "realtime"):
        (folder / "__init__.py").touch()
    (package / "realtime/handlers.py").write_text(text)
    with (bench / "sites/apps.txt").open("a") as file:
        file.write(f"{name}\n")
    return package / "realtime/handlers.py"


class HostProcess:
    """`python -m frappe_rt.handlers` for `bench`, attached to a `HostServer`."""

    def __init__(self, bench, server, *options, **environment):
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "frappe_rt.handlers",
                f"--bench={bench}",
                f"--socket={server.path}",
                *options,
            ],
            env=os.environ | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = ""

    def wait(self):
        """Until it ends by itself. Its exit status; what it said is in `log`."""
        self.log += self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode

    def read_log(self, text):
        """Until a line with that text comes."""
        for line in self.process.stderr:
            self.log += line
            if text in line:
                return line
        raise AssertionError(self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@contextmanager
def starting_hosts(bench, server):
    """A function: start a host whose app "chat" has this text. It returns the server's side and
    the process."""
    processes = []

    def run(text, *options, **environment):
        write_app(bench, "chat", HEAD + text)
        process = HostProcess(bench, server, *options, **environment)
        processes.append(process)
        return server.wait_for_host(), process

    try:
        yield run
    finally:
        for process in processes:
            process.__exit__()


def ask(peer, sid, event, *arguments, ack=1):
    """What the client gets as its acknowledgement."""
    peer.event(sid, event, *arguments, i=ack)
    answer = peer.read_op("ack")
    assert (answer["s"], answer["i"]) == (sid, ack)
    return answer["a"]
