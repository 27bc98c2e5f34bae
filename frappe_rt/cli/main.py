"""Find the command: each is a module of `frappe_rt.cli`, imported when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from frappe_rt import __version__
from frappe_rt.terminal import fail, silence_stdout

#: Command -> what it is for, so that ``--help`` imports none of them.
COMMANDS = {
    "config": "Show the effective configuration and where each value is from.",
    "demo": "Show it working: a page, logins, buttons; needs no bench.",
    "reload": "Run the realtime handlers of apps anew, without a restart.",
    "serve": "Run the realtime server of a bench.",
    "setup": "Make a bench start this server instead of Node's, or go back.",
    "stats": "Show what the running server of a bench is doing.",
    "web": "Run Frappe's development web process with the server beside it.",
}


class Commands(click.Group):
    """Finds the command NAME as the object ``NAME`` of the module ``frappe_rt.cli.NAME``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"frappe_rt.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="frappe_rt")
def main() -> None:
    """Frappe's realtime server, without Node."""


def run() -> None:
    """Run the command of this process. When stdout cannot be written to, say so in one line."""
    if sys.stdout is None:
        fail("stdout is closed")
    try:
        main(prog_name="python -m frappe_rt")
    except OSError as error:
        if not _is_of_echo(error):
            raise
        silence_stdout()  # what is still buffered would fail again at the exit
        fail(f"cannot write to stdout: {error.strerror}")


def _is_of_echo(error: OSError) -> bool:
    """Whether `click.echo`, which writes all output, has raised it."""
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    return at is not None and at.tb_frame.f_code is click.echo.__code__
