"""A process that has brought in, in the order told, others that use the same libraries as we do,
or change how Python works; each is used while the server runs, and says so.

`python -m support.neighbours NAMES OPTIONS`: "frappe_rt" among the names is when ours is imported.
"""

import importlib
import json
import sys
import time

#: Seconds for an answer on a busy machine; nothing is imported here that imports frappe_rt.
PATIENCE = 60
MODULES = {"hiredis": ["hiredis", "redis"], "gevent": ["gevent.monkey"]}


def use_gevent(server, _):
    import gevent

    import frappe_rt

    def work(name):
        for n in range(20):
            frappe_rt.publish_realtime("n", [name, n], user="ada@example.com")
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(work, "gevent") for _ in range(3)])
    child = gevent.os.fork_and_watch()
    if child == 0:
        frappe_rt.publish_realtime("n", ["gevent child", 0], user="ada@example.com")
        sys.exit(5)
    _, status = gevent.os.waitpid(child, 0)
    assert status == 5 << 8, status


def use_uvloop(server, _):
    import asyncio

    import uvloop

    import frappe_rt

    async def ask():
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: one.localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()

    async def work():
        await asyncio.gather(*(ask() for _ in range(20)))
        for n in range(20):
            frappe_rt.publish_realtime("n", ["uvloop", n], user="ada@example.com")
            await asyncio.sleep(0)
        command = ("true",)
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(work())
    loop.close()
    asyncio.set_event_loop(None)


def use_hiredis(server, options):
    import hiredis
    import redis

    import frappe_rt

    with redis.Redis.from_url(options["redis_queue"], protocol=2) as connection:
        parser = connection.connection_pool.make_connection()._parser
        assert type(parser).__module__.endswith("hiredis"), parser
        assert hiredis.__version__
        for n in range(100):
            connection.set("key", b"x" * n)
            assert connection.get("key") == b"x" * n
        heard = frappe_rt.stats(PATIENCE)["frappe"]["envelopes"]
        envelope = {"event": "n", "message": ["redis", 0], "room": "user:ada@example.com"}
        text = json.dumps(envelope | {"namespace": "one.localhost"})
        assert connection.publish("events", text) >= 1
        while frappe_rt.stats(PATIENCE)["frappe"]["envelopes"] == heard:
            time.sleep(0.01)


def use_pycurl(server, _):
    from io import BytesIO

    import pycurl

    for _ in range(20):
        body = BytesIO()
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"http://127.0.0.1:{server.port}/health")
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.WRITEDATA, body)
        curl.perform()
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
        curl.close()
        assert body.getvalue()


def main(names, options):
    names = names.split(",")
    options = json.loads(options)
    for name in names:
        for module in MODULES.get(name, [name]):
            importlib.import_module(module)
        if name == "gevent":
            sys.modules["gevent.monkey"].patch_all()
    import frappe_rt

    with frappe_rt.start(**options) as server:
        print("port", server.port)
        while not frappe_rt.stats(PATIENCE)["socketio"][
            "connects"
        ]:  # accepted: our libcurl has been used
            time.sleep(0.01)
        while not frappe_rt.stats(PATIENCE)["redis_subscribed"]:
            time.sleep(0.01)
        for name in names:
            if name != "frappe_rt":
                globals()[f"use_{name}"](server, options)
        print("done")
        time.sleep(3600)  # until the test has heard it all


if __name__ == "__main__":
    main(*sys.argv[1:])
