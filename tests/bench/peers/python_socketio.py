"""python-socketio on uvicorn with uvloop: the shape of Frappe's newer realtime server.

python python_socketio.py PORT REDIS_PORT WEB_PORT SITE      prints "up" once it listens
"""

from __future__ import annotations

import asyncio
import json
import sys
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import aiohttp
import redis.asyncio
import socketio
import uvicorn
import uvloop

PORT, REDIS_PORT, WEB_PORT = map(int, sys.argv[1:4])
sio = socketio.AsyncServer(async_mode="asgi", namespaces="*", cors_allowed_origins="*")
http: aiohttp.ClientSession


async def log_in(namespace, environ):
    origin = urlsplit(environ["HTTP_ORIGIN"]).hostname
    if origin != urlsplit(f"http://{environ['HTTP_HOST']}").hostname:
        raise ConnectionRefusedError("Invalid origin")
    if namespace != f"/{origin}":
        raise ConnectionRefusedError("Invalid namespace")
    cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("sid")
    if cookie is None:
        raise ConnectionRefusedError("No authentication method used.")
    async with http.get(
        f"http://127.0.0.1:{WEB_PORT}/api/method/frappe.realtime.get_user_info",
        headers={"Cookie": f"sid={cookie.value}", "X-Frappe-Site-Name": origin},
    ) as answer:
        told = (await answer.json())["message"]
    if not told.get("user"):
        raise ConnectionRefusedError("Unauthorized")
    return told


@sio.on("connect", namespace="*")
async def connect(namespace, sid, environ, auth=None):
    told = await log_in(namespace, environ)
    await sio.enter_room(sid, "website", namespace)
    await sio.enter_room(sid, f"user:{told['user']}", namespace)
    if told["user_type"] == "System User":
        await sio.enter_room(sid, "all", namespace)


@sio.on("task_subscribe", namespace="*")
async def task_subscribe(namespace, sid, task):
    await sio.enter_room(sid, f"task_progress:{task}", namespace)


@sio.on("ping", namespace="*")
async def ping(namespace, sid):
    await sio.emit("pong", to=sid, namespace=namespace)


async def forward(channel):
    async for item in channel.listen():
        if item["type"] != "message":
            continue
        envelope = json.loads(item["data"])
        await sio.emit(
            envelope["event"],
            envelope["message"],
            room=envelope.get("room"),
            namespace=f"/{envelope['namespace']}",
        )


async def main():
    global http
    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16))
    channel = redis.asyncio.Redis(port=REDIS_PORT).pubsub()
    await channel.subscribe("events")
    forwarding = asyncio.create_task(forward(channel))
    config = uvicorn.Config(
        socketio.ASGIApp(sio),
        host="127.0.0.1",
        port=PORT,
        backlog=4096,
        log_level="error",
        access_log=False,
        http="httptools",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    print("up", flush=True)
    await serving
    forwarding.cancel()


uvloop.run(main())
