"""``setup``: a bench's process files, from Node to us and back."""

from __future__ import annotations

import json
from pathlib import Path

import click

from frappe_rt import config
from frappe_rt.bench import setup as bench_setup
from frappe_rt.cli.options import bench_option
from frappe_rt.terminal import fail

#: First character of a line of a diff -> its colour.
COLORS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@bench_option
@click.option("--write", is_flag=True, help="Change the files, after showing the difference.")
@click.option("--undo", is_flag=True, help="Go back to what was there before.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def setup(bench: str | None, write: bool, undo: bool, as_json: bool) -> None:
    """Make a bench start this server instead of Node's, or go back (--undo).

    Shows what would change in the Procfile, in config/supervisor.conf and in config/systemd;
    --write does it. The line that was there is kept above the new one as a comment. A line that
    starts no known realtime server is never touched. Running it twice changes nothing.
    """
    folder = bench or config.find_bench()
    if folder is None:
        fail("no bench here: change into one, or name it with --bench")
    try:
        plan = bench_setup.plan(Path(folder), undo=undo)
        if write:
            for change in plan.changes:
                change.write()
    except (bench_setup.Refused, OSError, ValueError) as error:
        fail(str(error))
    if as_json:
        click.echo(json.dumps(_get_summary(plan, write), indent=2))
    else:
        _show(plan, write)


def _get_summary(plan: bench_setup.Plan, written: bool) -> dict[str, object]:
    return {
        "changes": [{"path": str(c.path), "diff": c.get_diff()} for c in plan.changes],
        "written": written and bool(plan.changes),
        "remarks": plan.remarks,
        "then": plan.then,
    }


def _show(plan: bench_setup.Plan, written: bool) -> None:
    for change in plan.changes:
        for line in change.get_diff().splitlines():
            click.secho(line, fg=COLORS.get(line[:1]))
        click.echo()
    for remark in plan.remarks:
        click.echo(remark)
    click.echo()
    if not plan.changes:
        click.echo("nothing to change")
    elif written:
        count = len(plan.changes)
        click.secho(f"written: {count} file{'s' * (count != 1)}. Now run:", bold=True)
        for command in plan.then:
            click.echo(f"  {command}")
    else:
        click.secho("nothing written yet; add --write to change the files", bold=True)
