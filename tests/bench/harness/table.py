"""The results on a terminal, and as the data of build/bench.json."""

from __future__ import annotations

import statistics
from datetime import datetime, timezone

from harness.rows import ROWS

TITLE, CELL = 43, 15


def _cell(row, results, contender):
    numbers = results.get(row, contender)
    if not numbers:
        return "-"
    text = f"{statistics.median(numbers):,.{row.digits}f}".replace(",", " ")
    return text + ("*" if _is_saturated(row, results, contender) else "")


def _is_saturated(row, results, contender):
    return any(s.get("saturated") for s in results.samples[row.key][contender])


def _get_notes(row, results, contender):
    sample = results.get_middle_sample(row, contender)
    return {title: show(sample) for title, show in row.notes}


def _verdict(row, results):
    found = row.reach(results)
    if found is None:
        return ""
    text, ratio = found
    if ratio >= 1:
        return f"{text}: yes"
    return f"{text}: NO, {100 * (1 - ratio):.0f} % short"


def _lines(row, results, contenders):
    cells = [_cell(row, results, c.name) for c in contenders]
    if set(cells) == {"-"}:
        return
    title = f"{row.title} [{row.unit}]"
    if len(title) > TITLE:
        yield title
        title = ""
    yield (
        f"{title:{TITLE}}"
        + "".join(f"{c:>{CELL}}" for c in cells)
        + (f"  {_verdict(row, results)}")
    )
    for note, show in row.notes:
        samples = [results.get_middle_sample(row, c.name) for c in contenders]
        shown = [show(s) if s else "" for s in samples]
        yield f"{'    ' + note:{TITLE}}" + "".join(f"{c:>{CELL}}" for c in shown)


def make_table(results, contenders, missing):
    head = f"{'medians':{TITLE}}" + "".join(f"{c.title:>{CELL}}" for c in contenders)
    lines = [head + "  to be reached", "-" * (len(head) + 30)]
    for row in ROWS:
        lines += [line.rstrip() for line in _lines(row, results, contenders)]
    lines += [f"{title}: skipped: {why}" for title, why in missing]
    lines += [f"FAILED: {failure}" for failure in results.failures]
    if any(line.count("*") for line in lines):
        lines.append(
            "* the generator's cores were full: wall times are theirs, CPU is the server's"
        )
    return "\n".join(lines)


def make_data(results, contenders, missing, machine, state):
    rows = {}
    for row in ROWS:
        of_row = {}
        for contender in contenders:
            numbers = results.get(row, contender.name)
            if numbers:
                of_row[contender.name] = {
                    "median": statistics.median(numbers),
                    "min": min(numbers),
                    "max": max(numbers),
                    "notes": _get_notes(row, results, contender.name),
                    "saturated": _is_saturated(row, results, contender.name),
                    "samples": results.samples[row.key][contender.name],
                }
        if of_row:
            reach = row.reach(results)
            rows[row.key] = {
                "title": row.title,
                "unit": row.unit,
                "more_is_better": row.more,
                "reach": reach and {"text": reach[0], "ratio": reach[1]},
                "contenders": of_row,
            }
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine,
        "state": state,
        "skipped": dict(missing),
        "failures": results.failures,
        "rows": rows,
    }
