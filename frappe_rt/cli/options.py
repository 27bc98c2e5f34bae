"""Click's form of the options in the table of `frappe_rt.cli.serving.options`."""

from __future__ import annotations

from typing import Any

import click

from frappe_rt.cli.serving.options import (
    BENCH,
    FILE,
    FLAG,
    FOLDER,
    LEVEL,
    LOG_LEVELS,
    PORT,
    PORT_MOST,
    SWITCH,
    TEXT,
    Option,
)

_TYPES: dict[str, Any] = {
    FOLDER: click.Path(exists=True, file_okay=False, resolve_path=True),
    PORT: click.IntRange(0, PORT_MOST),
    TEXT: click.STRING,
    LEVEL: click.Choice(LOG_LEVELS),
    FILE: click.Path(dir_okay=False, resolve_path=True),
}

#: Every command that looks at a bench has it.
bench_option = click.option(BENCH.name, type=_TYPES[BENCH.kind], help=BENCH.help)


def make(option: Option) -> click.Option:
    """An option of the table, for Click."""
    if option.kind == SWITCH:
        names = [f"{option.name}/{option.opposite}"]
        return click.Option(names, default=option.default, help=option.help)
    if option.kind == FLAG:
        return click.Option([option.name], is_flag=True, help=option.help)
    return click.Option(
        [option.name],
        type=_TYPES[option.kind],
        metavar=option.metavar,
        default=option.default,
        show_default=option.default is not None,
        help=option.help,
    )
