"""The host process: import the apps' handlers, attach to the server, run them until it ends."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import secrets
import select
import socket
import sys
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any, NoReturn

from frappe_rt import config
from frappe_rt.handlers import loading, predecessor
from frappe_rt.handlers.dispatch import Dispatcher
from frappe_rt.handlers.link import Line, Link
from frappe_rt.handlers.memory import end_when_exhausted
from frappe_rt.handlers.registry import realtime
from frappe_rt.hosts import apps

VERSION = 2
#: Bytes of the random id that a host chooses.
ID_BYTES = 15
#: Seconds to write what is pending at the end.
FLUSH_SECONDS = 2.0
#: Seconds until this process ends by force after the server or the parent has ended.
GRACE_SECONDS = 2.0
#: Seconds for the server's welcome.
WELCOME_SECONDS = 10.0
#: Exit status after a failure. Never 3 or 4: gunicorn's master would stop.
FAILED = 1

log = logging.getLogger("frappe_rt.handlers")


def main(arguments: list[str]) -> NoReturn:
    """Run as a host and end the process: with 0 after a drain, else with 1."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    status = FAILED
    try:
        status = _run(options)
    except (SystemExit, KeyboardInterrupt) as error:
        log.error("a task of an app ended the process (%s)", type(error).__name__)
    except OSError as error:
        log.error("cannot attach to %s: %s", options.socket, error.strerror or error)
    except Exception as error:
        if isinstance(error, MemoryError):  # the loop had no memory to report it
            end_when_exhausted()
        log.exception("the handlers end")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)  # threads of handlers may be stuck


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m frappe_rt.handlers", description=__doc__)
    parser.add_argument("--bench", help="folder of the bench; default: the one around here")
    parser.add_argument("--socket", help="local socket of the server; default: the bench's")
    parser.add_argument("--id", default=secrets.token_urlsafe(ID_BYTES), help="id of this host")
    parser.add_argument("--replaces", help="id of the host to take over from")
    parser.add_argument("--parent", type=int, help="process to end with")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    bench = options.bench or config.find_bench()
    if not bench:
        log.error("no bench found; give --bench")
        return FAILED
    path = options.socket or _find_socket(bench)
    if not path:
        return FAILED
    if options.parent:
        watch_process(options.parent)
    loading.enter(bench)
    # What handlers publish goes to this server, wherever it was told to have its socket.
    config.give(
        config.Given(bench, overrides={"frappe_rt_local_socket": str(Path(path).absolute())})
    )
    loading.offer_as_frappes()
    loaded = loading.load(bench)
    if loaded.failed and not _may_attach(path, loaded.failed, options.replaces):
        return FAILED
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    host = Host(peer, options.id, apps.get_apps(bench))
    return asyncio.run(host.run(loaded.apps, options.replaces))


def _find_socket(bench: str) -> str | None:
    """Of who starts a host by hand; the supervisor names it."""
    effective = config.load(bench)
    if not effective.local_socket:
        log.error("no server to attach to: %s", effective.no_local_socket)
    return effective.local_socket


def _may_attach(path: str, failed: list[str], replaces: str | None) -> bool:
    """Whether every app that works in the old host works here, too. If not, this host must not
    attach."""
    served = predecessor.get_apps(path, replaces) if replaces else set()
    if kept := [app for app in failed if app in served]:
        names = ", ".join(kept)
        log.error("not taking over, the old handlers go on: no new ones of %s", names)
        return False
    for app in failed:
        log.error("the handlers of %s are off", app)
    return True


class Host:
    """Attached through `peer`, a connected socket."""

    def __init__(self, peer: socket.socket, id: str, all_apps: list[str]) -> None:
        self._peer = peer
        self._id = id
        self._all_apps = all_apps

    async def run(self, loaded: list[str], replaces: str | None = None) -> int:
        """Run until the server ends or another host has taken over. Returns the exit status.

        :param loaded: apps whose handlers are on
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_on_error)
        ended = asyncio.Event()
        welcome, early = self._greet(loaded, replaces)
        names, events = ", ".join(loaded), ", ".join(realtime.events())
        log.info("handlers of %s: %s", names or "no app", events or "none")
        dispatcher = Dispatcher(
            realtime, loop, welcome["threads"], ["frappe", *self._all_apps], ended.set
        )
        link = dispatcher.link = Link(self._peer, loop, dispatcher.take, ended.set)
        link.feed(early)
        realtime.on_new_event = lambda event: link.send(
            b'{"op":"events","e":%b}\n' % json.dumps([event]).encode()
        )
        watch_link(self._peer.fileno())
        await ended.wait()
        return await self._leave(link)

    def _greet(self, loaded: list[str], replaces: str | None) -> tuple[Line, bytes]:
        """Send the first line, and wait for the welcome. Returns it, and the bytes after it."""
        events = realtime.events()
        hello: Line = {
            "rt": "host",
            "version": VERSION,
            "id": self._id,
            "language": "python",
            "pid": os.getpid(),
            "apps": loaded,
            "events": [event for event in events if event not in ("connect", "disconnect")],
            "connects": "connect" in events or "disconnect" in events,
            "mirror": False,
        }
        if replaces:
            hello["replaces"] = replaces
        self._peer.settimeout(WELCOME_SECONDS)
        self._peer.sendall(json.dumps(hello).encode() + b"\n")
        came = b""
        while b"\n" not in came:
            more = self._peer.recv(65536)
            if not more:
                raise ConnectionResetError(0, "the server has closed the connection")
            came += more
        first, early = came.split(b"\n", 1)
        welcome: Line = json.loads(first)
        if welcome.get("op") != "welcome":
            raise ConnectionRefusedError(
                0, welcome.get("error") or "the server does not know hosts"
            )
        return welcome, early

    async def _leave(self, link: Link) -> int:
        if link.closed:
            log.info("the server has gone")
            return FAILED
        end = monotonic() + FLUSH_SECONDS
        while link.owed and monotonic() < end and not link.closed:
            await asyncio.sleep(0.005)
        return 0


def _on_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """For exceptions in the link's callbacks and in tasks that an app has started."""
    if isinstance(context.get("exception"), MemoryError):
        end_when_exhausted()
    loop.default_exception_handler(context)


def watch_process(pid: int) -> None:
    """End this process after its parent, `pid`, has ended, even if a handler blocks the loop."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        descriptor = -1
    if os.getppid() != pid:  # the parent has ended already, and its pid may be reused
        log.error("process %d, which this one belongs to, is not its parent; ending", pid)
        os._exit(FAILED)
    Thread(target=_end_with_process, args=(descriptor, pid), daemon=True).start()


def _end_with_process(descriptor: int, pid: int) -> None:
    if descriptor >= 0:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
    else:
        while os.getppid() == pid:
            sleep(1)
    _end_soon()


def watch_link(descriptor: int) -> None:
    """End this process after the server has closed the link, even if the loop is blocked."""
    Thread(target=_end_with_link, args=(os.dup(descriptor),), daemon=True).start()


def _end_with_link(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    _end_soon()


def _end_soon() -> NoReturn:
    sleep(GRACE_SECONDS)
    os._exit(FAILED)
