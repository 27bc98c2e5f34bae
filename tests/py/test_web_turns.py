"""A crowd before the web process, a site that hangs, a maintenance: through real sockets and HTTP.

What counts is who was asked when, not how long it took. tests/c/frappe has the rules one by one."""

import asyncio
import base64
import json
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.bench import PATIENCE, get_figures

import frappe_rt

IN_FLIGHT = 16
SHARE = IN_FLIGHT * 3 // 4  # of one site


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self):
        web = self.server.web
        site = self.headers["X-Frappe-Site-Name"]
        sid = self.headers["Cookie"].removeprefix("sid=")
        web.asked.append((site, sid))
        if site.startswith("hangs"):
            web.awake.wait(PATIENCE)
        else:
            time.sleep(web.delay)
        user = {"user": f"{sid}@example.com", "user_type": "System User"}
        if sid.startswith("random"):
            user = {"user": "Guest", "user_type": "Website User"}
        self.answer(503 if web.maintenance else 200, json.dumps({"message": user}).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Web:
    """Knows any number of sites; those called "hangs" answer once it is awake."""

    def __init__(self):
        self.delay = 0
        self.maintenance = False
        self.awake = threading.Event()
        self.asked = []
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.web = self
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.awake.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def web():
    web = Web()
    yield web
    frappe_rt.stop()
    web.close()


def start(web, **more):
    return frappe_rt.start(
        "",
        socketio_port=0,
        frappe_rt_host="127.0.0.1",
        frappe_rt_redis=False,
        frappe_rt_cache_ms=0,
        frappe_rt_web_in_flight=IN_FLIGHT,
        webserver_port=web.port,
        **more,
    )


everyone = []


class Client:
    """A WebSocket that asks to be let in, and waits."""

    def __init__(self, site, sid):
        self.site = site
        self.sid = sid

    async def ask(self, port):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        everyone.append(self)
        key = base64.b64encode(os.urandom(16)).decode()
        payload = f"40/{self.site},".encode()
        self.writer.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {self.site}\r\n"
            f"Cookie: sid={self.sid}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
            + bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0])
            + payload
        )
        await self.reader.readuntil(b"\r\n\r\n")
        return self

    async def get_in(self):
        await self.reader.readuntil(f'40/{self.site},{{"sid":'.encode())
        return self

    def leave(self):
        self.writer.transport.abort()


async def ask_all(port, site, prefix, count):
    clients = [Client(site, f"{prefix}{number}") for number in range(count)]
    await asyncio.gather(*(client.ask(port) for client in clients))
    while get_figures()["questions_in_flight"] < count:
        await asyncio.sleep(0.01)
    return clients


async def log_in(port, site, sid):
    return await (await Client(site, sid).ask(port)).get_in()


async def nobody_waits():
    """What was kept for those who have left is gone."""
    while any(get_figures()[name] for name in ("questions_in_flight", "sockets_waiting")):
        await asyncio.sleep(0.01)


async def closed(test):
    try:
        await asyncio.wait_for(test, PATIENCE)
    finally:
        while everyone:
            client = everyone.pop()
            client.leave()
            with suppress(OSError):
                await client.writer.wait_closed()


def run(test):
    asyncio.run(closed(test))


def test_random_sids_delay_neither_another_site_nor_a_known_user(web):
    async def crowd():
        port = start(web).port
        (await log_in(port, "one.localhost", "ada")).leave()
        web.delay = 0.2
        crowd = await ask_all(port, "one.localhost", "random", 500)
        await log_in(port, "two.localhost", "bob")
        await log_in(port, "one.localhost", "ada")
        first = web.asked[: max(index for index, (_, sid) in enumerate(web.asked) if sid == "ada")]
        # three rounds of answers at the most, however slow this machine is
        assert sum(sid.startswith("random") for _, sid in first) <= 3 * IN_FLIGHT
        assert get_figures()["questions_in_line"] > 0
        for client in crowd:
            client.leave()
        await nobody_waits()

    run(crowd())


def test_a_site_that_hangs_takes_nothing_from_others(web):
    async def hang():
        port = start(web, frappe_rt_web_timeout_ms=500).port
        crowd = await ask_all(port, "hangs.localhost", "user", 100)
        for number in range(30):
            await log_in(port, "two.localhost", f"user{number}")
        while get_figures()["frappe"]["questions_late"] < SHARE:
            await asyncio.sleep(0.01)
        for number in range(30):
            await log_in(port, "two.localhost", f"later{number}")
        hanging = [sid for site, sid in web.asked if site == "hangs.localhost"]
        assert len(hanging) <= SHARE + 1
        # slow is not away: everybody is still here, gets in, and was asked about once
        web.awake.set()
        await asyncio.gather(*(client.get_in() for client in crowd))
        asked = Counter(sid for site, sid in web.asked if site == "hangs.localhost")
        assert set(asked.values()) == {1}
        assert len(asked) == 100
        assert get_figures()["frappe"]["auth_dropped_web_away"] == 0
        await nobody_waits()

    run(hang())


def test_a_maintenance_is_asked_about_by_one(web):
    async def maintenance():
        port = start(web).port
        web.maintenance = True
        crowd = await ask_all(port, "one.localhost", "user", 40)
        while get_figures()["frappe"]["site_pauses"] < 4:
            await asyncio.sleep(0.01)
        assert len(web.asked) <= SHARE + 4
        web.maintenance = False
        await asyncio.gather(*(client.get_in() for client in crowd))
        assert len(web.asked) <= SHARE + 6 + 40
        await nobody_waits()

    run(maintenance())
