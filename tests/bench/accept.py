"""Makes the last `make bench` the one that is compared with: docs/bench.json and the table in
docs/performance.md are written from build/bench.json.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness.contenders import ALL
from harness.rows import K, show_number

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / "build/bench.json"
ACCEPTED = ROOT / "docs/bench.json"
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- table of docs/bench.json: make bench-accept -->\n", "<!-- end of the table -->\n"
TITLES = {contender.name: contender.title for contender in ALL}


def strip(data):
    """Without the single samples: what a page and a comparison need."""
    for row in data["rows"].values():
        for figures in row["contenders"].values():
            figures.pop("samples", None)
    return data


def share(of):
    return f"{100 * of['median']:.0f} % (at most {100 * of['most']:.0f} %)" if of else "not known"


def describe(data):
    machine, state = data["machine"], data["state"]
    yield (
        f"{data['when'][:10]}, {machine['cpu']}, {machine['cores']} cores, kernel "
        f"{machine['kernel']}, {machine['distribution']}, Python {machine['python']}, Node "
        f"{machine['node']}, {machine['redis']}; {state['rounds']} rounds in {state['seconds']} s."
    )
    yield (
        f"State of the machine: load average {state['load_average_before']} before the start; "
        f"others used {share(state['others_on_the_servers_core'])} of the server's core while it "
        f"was measured, and {share(state['others_on_the_loads_cores'])} of the rest."
    )


def make_cell(figures):
    if figures is None:
        return "-"
    k = figures["notes"].get(K[0])
    cell = show_number(figures["median"]) + ("*" if figures["saturated"] else "")
    return f"{cell} (K {float(k):.0f})" if k and float(k) >= 1.5 else cell


def make_row(row):
    cells = [f"{row['title']} ({row['unit']})".replace("us of", "µs of").replace("(us)", "(µs)")]
    cells += [make_cell(row["contenders"].get(name)) for name in TITLES]
    reach = row["reach"]
    if reach:
        met = "yes" if reach["ratio"] >= 1 else f"no, {100 * (1 - reach['ratio']):.0f} % short"
        text = reach["text"].replace("<=", "≤").replace(">=", "≥").replace(" us", " µs")
        cells.append(f"{text}: {met}")
    else:
        cells.append("-")
    return f"| {' | '.join(cells)} |"


def make_table(data):
    yield from describe(data)
    yield ""
    yield f"| medians | {' | '.join(TITLES.values())} | to be reached |"
    yield "|---|" + "---|" * (len(TITLES) + 1)
    yield from map(make_row, data["rows"].values())


def replace_table(page, data):
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(make_table(data)) + "\n\n" + END + after


def main():
    data = strip(json.loads(MEASURED.read_text()))
    if data["failures"] or data["state"]["quick"]:
        raise SystemExit(f"a run with failures, or a quick one, is not kept: {data['failures']}")
    ACCEPTED.write_text(json.dumps(data, indent=1) + "\n")
    PAGE.write_text(replace_table(PAGE.read_text(), data))


if __name__ == "__main__":
    main()
