"""``serve``: the realtime server of a bench as a process of its own."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Any
from urllib.parse import urlsplit

import click

from frappe_rt import config, serving


@click.command()
@click.option(
    "--bench",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    help="Folder of the bench; default: FRAPPE_BENCH_ROOT, else the one around here.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; 0 takes a free one.")
@click.option("--uds", metavar="PATH", help="Listen on this Unix socket instead of a port.")
@click.option("--host", metavar="ADDRESS", help="Listen on this address only.")
@click.option("--redis/--no-redis", default=None, help="Take events from Redis, or do not.")
@click.option(
    "--log-level",
    type=click.Choice(serving.LOG_LEVELS),
    default="info",
    show_default=True,
    help="What to log.",
)
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False, resolve_path=True),
    help="Log to this file instead of stderr; SIGHUP opens it again.",
)
@click.option("--die-with-parent", is_flag=True, help="End when the process that started it does.")
def serve(
    bench: str | None,
    port: int | None,
    uds: str | None,
    host: str | None,
    redis: bool | None,
    log_level: str,
    log_file: str | None,
    die_with_parent: bool,
) -> None:
    """Run the realtime server of a bench until SIGINT or SIGTERM.

    Options stand above the environment, and that above sites/common_site_config.json. The limit on
    open files is raised as far as allowed. Under systemd, Type=notify is answered and sockets are
    taken over (socket activation).
    """
    if die_with_parent:
        _end_with(os.getppid())
    overrides: dict[str, Any] = {
        "socketio_port": port,
        "socketio_uds": uds if port is None else uds or "",
        "frappe_rt_host": host,
        "frappe_rt_redis": redis,
    }
    try:
        effective = config.load(bench, **overrides)
    except ValueError as error:
        serving.fail(str(error))
    _raise_file_limit()
    remarks = [f"bench: {effective.bench or 'none found; defaults and environment only'}"]
    peers = [_get_web_peer(effective)]
    if effective["frappe_rt_redis"]:
        peers.insert(0, _get_redis_peer(effective))
    else:
        remarks.append("redis: not used (frappe_rt_redis)")
    serving.become(serving.Order(bench, overrides, log_level, log_file, remarks, peers))


PR_SET_PDEATHSIG = 1


def _end_with(parent: int) -> None:
    """Have SIGTERM sent to this process when its parent ends (prctl(2), kept across exec)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        serving.fail(f"--die-with-parent: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it ended before we had asked
        raise SystemExit(0)


def _raise_file_limit() -> None:
    """One connection is one open file; the usual soft limit of 1024 is for users of select."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _get_redis_peer(effective: config.Config) -> serving.Peer:
    shown = effective.sources["redis_queue"]["value"]
    parts = urlsplit(effective["redis_queue"])
    if parts.scheme == "unix":
        return serving.Peer("redis", shown, None, parts.path)
    return serving.Peer("redis", shown, parts.hostname or "127.0.0.1", parts.port or 6379)


def _get_web_peer(effective: config.Config) -> serving.Peer:
    """Where callbacks go: ``webserver_host`` (which may hold a scheme and a port), or this host."""
    host = effective["webserver_host"] or effective["server_ip"]
    address, port = "127.0.0.1", effective["webserver_port"]
    if host:
        parts = urlsplit(host if "//" in host else f"//{host}")
        default = effective["webserver_port"] if effective["webserver_host"] else 80
        address, port = parts.hostname or host, parts.port or default
    return serving.Peer("web process", f"{address}:{port}", address, port)
