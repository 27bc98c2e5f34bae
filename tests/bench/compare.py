"""Ratios of one bench.json to another: compare.py OLD NEW."""

from __future__ import annotations

import json
import sys
from pathlib import Path

US = "frappe_rt"


def load(path):
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise SystemExit(f"{path} is not there; `make bench` writes build/bench.json") from None


def describe(name, data):
    machine, state = data["machine"], data["state"]
    others = state["others_on_the_servers_core"] or {"median": 0}
    return (
        f"{name}: {data['when']}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['distribution']}, {state['rounds']} rounds, "
        f"others used {100 * others['median']:.0f} % of the server's core"
    )


def compare(old, new):
    """Lines; a ratio above 1 is better than before, whatever the unit."""
    yield f"{'frappe_rt':50}{'old':>12}{'new':>12}{'ratio':>8}{'to floor, old':>15}{'new':>8}"
    for key, row in old["rows"].items():
        now = new["rows"].get(key)
        if now is None or US not in row["contenders"] or US not in now["contenders"]:
            continue
        before, after = (r["contenders"][US]["median"] for r in (row, now))
        cells = f"{row['title'][:48]:50}{before:>12.4g}{after:>12.4g}"
        cells += f"{ratio(row, before, after):>8}"
        for r in row, now:
            floor = r["contenders"].get("floor")
            mine = r["contenders"][US]["median"]
            cells += (
                f"{ratio(row, floor['median'], mine):>{15 if r is row else 8}}" if floor else ""
            )
        yield cells + f"  {row['unit']}"


def ratio(row, base, value):
    if base <= 0 or value <= 0:
        return "-"
    return f"{value / base if row['more_is_better'] else base / value:.2f}"


def main():
    old, new = (load(path) for path in sys.argv[1:3])
    print(describe("old", old), describe("new", new), "", *compare(old, new), sep="\n")
    if new["state"]["quick"] != old["state"]["quick"]:
        print("\none of the two is a --quick run: its figures are no measure")


if __name__ == "__main__":
    main()
