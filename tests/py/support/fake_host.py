"""A handler host of a few lines, on the real local socket."""

import json
import os
import secrets

from support.bench import connect


class FakeHost:
    """Attaches at `path`; `read` gives the next line, `say` writes one."""

    def __init__(self, path, events, **more):
        self.id = secrets.token_hex(10)
        self.peer = connect(path)
        self.stream = self.peer.makefile("rb")
        hello = {"rt": "host", "version": 2, "id": self.id, "language": "python"}
        self.say(**hello, pid=os.getpid(), events=events, **more)
        self.welcome = self.read()

    def say(self, **line):
        self.peer.sendall(json.dumps(line).encode() + b"\n")

    def read(self):
        """None at the end."""
        line = self.stream.readline()
        return json.loads(line) if line else None

    def read_until(self, op):
        """The next line of that operation, and those before it."""
        before = []
        while (line := self.read())["op"] != op:
            before.append(line)
        return line, before

    def close(self):
        self.stream.close()
        self.peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
