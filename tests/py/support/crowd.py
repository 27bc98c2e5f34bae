"""Browser tabs for tests that are busy with processes: they listen in a thread of their own."""

import asyncio
import base64
import json
import os
import threading

from support.bench import PATIENCE, SITE, wait_for

#: Seconds until a tab tries again, beside a thousand others.
ATTEMPT_SECONDS = PATIENCE / 2


class Tab:
    """One WebSocket of a page that only listens. `heard`: what came with each event `wanted`."""

    def __init__(self, sid):
        self.sid = sid
        self.wanted = "n"
        self.heard = []
        self.closed = False
        self.writer = None

    async def connect(self, place):
        if isinstance(place, int):
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", place)
        else:
            self.reader, self.writer = await asyncio.open_unix_connection(place)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {SITE}\r\n"
            f"Origin: http://{SITE}\r\nCookie: sid={self.sid}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "\r\n".encode()
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(head)
        assert (await self.read()).startswith("0{")
        self.say(f"40/{SITE},")
        accepted = await self.read()
        assert accepted.startswith(f'40/{SITE},{{"sid":'), accepted
        return self

    def say(self, text):
        payload = text.encode()
        assert len(payload) < 126
        # Masked with zeros, which is a mask.
        self.writer.write(bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload)

    async def read(self):
        """The next message; there are no fragments, and none over 64 kB."""
        first, length = await self.reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
        payload = await self.reader.readexactly(length)
        if first & 0x0F == 8:
            raise ConnectionError("closed by the server")
        return payload.decode()

    def leave(self):
        if self.writer:
            self.writer.transport.abort()

    async def listen(self):
        try:
            while True:
                text = await self.read()
                if text == "2":
                    self.say("3")
                elif text.startswith(f"42/{SITE},"):
                    event, *arguments = json.loads(text[len(f"42/{SITE},") :])
                    if event == self.wanted:
                        self.heard += arguments
        except (OSError, asyncio.IncompleteReadError):
            self.closed = True


class Crowd:
    """Tabs, and the loop they live in. As a context manager they all leave at the end."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.tabs = []
        self.tasks = []

    def do(self, coroutine, seconds=PATIENCE):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)

    def come(self, place, sid="ada", count=1):
        """`count` more tabs at a port or Unix socket, once they are accepted; a list of them."""
        tabs = self.do(self.come_within(place, sid, count), PATIENCE * 2)
        self.tabs += tabs
        return tabs

    async def come_within(self, place, sid, count):
        async def one():
            """It may be restarting: as a browser does, try again."""
            end = asyncio.get_running_loop().time() + PATIENCE
            while True:
                tab = Tab(sid)
                try:
                    return await asyncio.wait_for(tab.connect(place), ATTEMPT_SECONDS)
                except (OSError, EOFError, asyncio.TimeoutError):
                    tab.leave()
                    if asyncio.get_running_loop().time() > end:
                        raise
                    await asyncio.sleep(0.1)

        tabs = await asyncio.gather(*(one() for _ in range(count)))
        self.tasks += [asyncio.ensure_future(tab.listen()) for tab in tabs]
        return tabs

    def count_closed(self):
        return sum(tab.closed for tab in self.tabs)

    async def leave(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for tab in self.tabs:
            tab.leave()
        await asyncio.sleep(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.do(self.leave())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()


def expect_each_once(tab, numbers):
    """It hears these events, in any order, and no other."""
    wanted = sorted(numbers)
    wait_for(lambda: len(tab.heard) >= len(wanted))
    assert sorted(tab.heard) == wanted
