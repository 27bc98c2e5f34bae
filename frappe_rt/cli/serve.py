"""``serve``: the realtime server of a bench as a process of its own."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import click

from frappe_rt import __version__, _rt, config
from frappe_rt.cli import listening

#: Seconds from a signal to the end of the process, at most.
STOP_SECONDS = 2.0
LEVELS = ("debug", "info", "warning", "error")


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
    "--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="What to log."
)
def serve(
    bench: str | None,
    port: int | None,
    uds: str | None,
    host: str | None,
    redis: bool | None,
    log_level: str,
) -> None:
    """Run the realtime server of a bench until SIGINT or SIGTERM.

    Options stand above the environment, and that above sites/common_site_config.json.
    """
    listening.block_signals()
    _rt.set_log(LEVELS.index(log_level), 2)
    overrides: dict[str, Any] = {
        "socketio_port": port,
        "socketio_uds": uds if port is None else uds or "",
        "frappe_rt_host": host,
        "frappe_rt_redis": redis,
    }
    server = listening.start_or_exit(bench, **overrides)
    click.echo(f"frappe_rt {__version__} listens on {', '.join(server.addresses)}")
    _tell_surroundings(config.get_effective())
    listening.wait_for_signal()
    click.echo("frappe_rt stops")
    listening.stop_within(STOP_SECONDS)


def _tell_surroundings(effective: config.Config) -> None:
    """The bench, and whether Redis and the web process are there. None of them has to be."""
    click.echo(f"bench: {effective.bench or 'none found; defaults and environment only'}")
    if effective["frappe_rt_redis"]:
        shown = effective.sources["redis_queue"]["value"]
        _tell_peer("redis", shown, *_get_redis_address(effective["redis_queue"]))
    else:
        click.echo("redis: not used (frappe_rt_redis)")
    host, port = _get_web_address(effective)
    _tell_peer("web process", f"{host}:{port}", (host, port))


def _tell_peer(what: str, shown: str, address: Any, family: int = socket.AF_UNSPEC) -> None:
    try:
        if family == socket.AF_UNIX:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(1)
                peer.connect(address)
        else:
            socket.create_connection(address, timeout=1).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        click.secho(f"{what}: {shown} is not there yet ({reason}); will ask again", fg="yellow")
    else:
        click.echo(f"{what}: {shown}")


def _get_redis_address(url: str) -> tuple[Any, int]:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path, socket.AF_UNIX
    return (parts.hostname or "127.0.0.1", parts.port or 6379), socket.AF_UNSPEC


def _get_web_address(effective: config.Config) -> tuple[str, int]:
    """Where callbacks go: ``webserver_host`` (which may hold a scheme and a port), or this host."""
    host = effective["webserver_host"] or effective["server_ip"]
    if not host:
        return "127.0.0.1", effective["webserver_port"]
    parts = urlsplit(host if "//" in host else f"//{host}")
    default = effective["webserver_port"] if effective["webserver_host"] else 80
    return parts.hostname or host, parts.port or default
