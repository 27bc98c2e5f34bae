"""A redis-server of the tests' own, and a subscriber that speaks just enough of its protocol."""

import json
import socket
import subprocess
from contextlib import contextmanager

from support.bench import PATIENCE, wait_for
from support.processes import get_free_port


class RedisServer:
    """On a free port of 127.0.0.1; keeps nothing."""

    def __init__(self):
        self.port = get_free_port()
        self.process = None
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self, *options):
        given = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *options]
        self.process = subprocess.Popen(
            ["redis-server", *given],
            stdout=subprocess.DEVNULL,
        )
        wait_for(self.is_there)

    def is_there(self):
        assert self.process.poll() is None, "redis-server does not start"
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process = None

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    @contextmanager
    def subscribe(self, channel, password=None):
        with self.connect() as connection, connection.makefile("rwb") as stream:
            if password:
                stream.write(f"AUTH {password}\r\n".encode())
                stream.flush()
                assert stream.readline() == b"+OK\r\n"
            stream.write(f"SUBSCRIBE {channel}\r\n".encode())
            stream.flush()
            subscriber = Subscriber(stream)
            assert subscriber.read_push()[0] == b"subscribe"
            yield subscriber


class Subscriber:
    def __init__(self, stream):
        self.stream = stream

    def read(self):
        """The next message of the channel, taken as JSON."""
        kind, _, text = self.read_push()
        assert kind == b"message"
        return json.loads(text)

    def read_push(self):
        return [self.read_part() for _ in range(int(self.stream.readline()[1:]))]

    def read_part(self):
        head = self.stream.readline()
        if head[:1] == b":":
            return int(head[1:])
        text = self.stream.read(int(head[1:]))
        self.stream.read(2)
        return text
