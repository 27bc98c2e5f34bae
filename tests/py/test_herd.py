"""A thousand tabs come back at once, through real sockets: what the web process has to answer."""

import asyncio
import base64
import json
import os
import resource
from collections import Counter

import pytest
from support.bench import PATIENCE, get_figures
from support.stub_web import GENERATIONS, SESSIONS, StubWeb

import frappe_rt

SITE = "one.localhost"
USERS = 10
TABS = 100  # of each user
#: What every tab wants: four wishes, three questions.
WANTED = (
    ["doctype_subscribe", "ToDo"],
    ["doc_subscribe", "ToDo", "T-1"],
    ["doc_open", "ToDo", "T-1"],
    ["doctype_subscribe", "Note"],
)


@pytest.fixture(autouse=True)
def many_descriptors():
    """Both ends of a thousand connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * USERS * TABS
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"only {hard} descriptors allowed, {wanted} wanted")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    frappe_rt.stop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(params=["v15", "v16"])
def web(request, monkeypatch):
    for user in range(USERS):
        monkeypatch.setitem(SESSIONS, f"s{user}", (f"u{user}@example.com", "System User"))
    with StubWeb(SITE, request.param) as stub:
        stub.delay = 0.1  # so that all have come before the first answer
        yield stub


class Tab:
    """Speaks as much of a WebSocket as a page that is only listening."""

    def __init__(self, user):
        self.user = user

    async def connect(self, port):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {SITE}\r\n"
            f"Origin: http://{SITE}\r\nCookie: sid=s{self.user}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "\r\n".encode()
        )
        self.say(f"40/{SITE},")
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert (await self.hear()).startswith("0{")
        accepted = await self.hear()
        assert accepted.startswith(f'40/{SITE},{{"sid":'), accepted
        return self

    def say(self, text):
        payload = text.encode()
        assert len(payload) < 126
        # Masked with zeros, which is a mask.
        self.writer.write(bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload)

    def emit(self, *event):
        self.say(f"42/{SITE},{json.dumps(event)}")

    async def hear(self):
        """The next message; a herd hears no fragments."""
        _, length = await self.reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
        return (await self.reader.readexactly(length)).decode()

    async def hear_pong(self):
        """Answers to what was said before have come by then, or are being asked for."""
        while not (await self.hear()).startswith(f'42/{SITE},["pong"'):
            pass


def vanish(tabs):
    for tab in tabs:
        tab.writer.transport.abort()


async def come(port):
    tabs = [Tab(user) for user in range(USERS) for _ in range(TABS)]
    await asyncio.gather(*(tab.connect(port) for tab in tabs))
    for tab in tabs:
        for event in WANTED:
            tab.emit(*event)
        tab.emit("ping")
    await asyncio.gather(*(tab.hear_pong() for tab in tabs))
    return tabs


async def answered():
    while get_figures()["questions_in_flight"]:
        await asyncio.sleep(0.05)


def start(web):
    return frappe_rt.start(
        "",
        SITE,
        socketio_port=0,
        frappe_rt_host="127.0.0.1",
        frappe_rt_redis=False,
        frappe_rt_cache_ms=60000,  # no machine is as slow as that
        webserver_port=web.port,
    )


def count_questions(web):
    """How often the web process was asked what, all users together."""
    asked, web.questions = web.questions, []
    return Counter((q["method"], *sorted(q["query"].items())) for q in asked)


def assert_no_herd(asked, generation):
    assert asked[("get_user_info",)] == USERS
    assert all(count <= USERS for count in asked.values()), asked  # of each distinct question
    methods = set(GENERATIONS[generation].methods)
    assert {method for method, *_ in asked} <= methods | {"get_user_info"}
    assert len(asked) == 1 + 3  # two lists and a document


def test_a_thousand_tabs_of_ten_users_at_once(web):
    async def herd():
        server = start(web)
        tabs = await come(server.port)
        await answered()
        assert_no_herd(count_questions(web), web.generation)
        room = {"doctype": "ToDo", "docname": "T-1"}
        assert get_figures()["sockets"] == USERS * TABS
        frappe_rt.publish_realtime("e", {"n": 1}, **room)
        for tab in tabs:
            while not (await tab.hear()).startswith(f'42/{SITE},["e",'):
                pass
        # all reconnect while the answers are kept
        vanish(tabs)
        tabs = await come(server.port)
        await answered()
        assert not count_questions(web)
        # the server starts again, and knows nothing
        vanish(tabs)
        frappe_rt.stop()
        server = start(web)
        tabs = await come(server.port)
        await answered()
        assert_no_herd(count_questions(web), web.generation)
        vanish(tabs)

    asyncio.run(asyncio.wait_for(herd(), 3 * PATIENCE))  # a thousand tabs come three times
