"""The table of bench_publish.py: what shall be reached, and what was."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from harness import machine

PAGE = Path(__file__).resolve().parents[3] / "docs/performance.md"
BEGIN = "<!-- table of publishing: tests/bench/bench_publish.py --accept -->\n"
END = "<!-- end of the table of publishing -->\n"
#: Each shall be at least so many times below redis-py's round trip.
TIMES = 10

#: Key, title, and what shall be reached, µs: busy, asleep.
ROWS = (
    ("redis-py", "redis-py's publish, TCP", None),
    ("frappe", "Frappe's own path: its encoder, redis-py", None),
    ("wake", "waking a process, the bare system call", None),
    ("thread.call", "in this process, C call", (0.4, 5)),
    ("thread.publish", "in this process, publish_realtime", (2, 6)),
    ("thread.frappe", "the same inside Frappe 15", (2, 6)),
    ("local.send", "local socket, the bare system call", None),
    ("local.call", "local socket, C call", None),
    ("local.publish", "local socket, publish_realtime", (4, 7)),
    ("redis.send", "Redis on TCP, the bare system call", None),
    ("redis.call", "Redis on TCP, C call", None),
    ("redis.publish", "Redis on TCP, publish_realtime", (4, 12)),
    ("absent.call", "local socket without a server, C call", None),
)


class Medians(NamedTuple):
    """Of a round, µs."""

    busy: float
    burst: float
    asleep: float


class Figures:
    """The rounds of each key."""

    def __init__(self) -> None:
        self.rounds: dict[str, list[Medians]] = {}

    def add(self, measured: Iterable[tuple[str, Medians]]) -> None:
        for key, medians in measured:
            self.rounds.setdefault(key, []).append(medians)

    def get(self, key: str, state: str) -> list[float]:
        return [getattr(medians, state) for medians in self.rounds[key]]

    def get_median(self, key: str, state: str) -> float:
        return statistics.median(self.get(key, state))


class State:
    """Of the machine while it was measured: how much of it others have used."""

    def __init__(self) -> None:
        self.load = os.getloadavg()[0]
        self.began = time.monotonic()
        self.busy = self._get_busy()
        self.own = self._get_own()

    def _get_busy(self) -> float:
        return machine.get_core_busy([machine.SERVER_CORE, *machine.LOAD_CORES])

    def _get_own(self) -> float:
        times = os.times()  # with those of children that have ended
        return times.user + times.system + times.children_user + times.children_system

    def tell(self, rounds: int) -> tuple[str, str]:
        """Two lines: the machine, and its state."""
        seconds = time.monotonic() - self.began
        cores = len({machine.SERVER_CORE, *machine.LOAD_CORES})
        others = self._get_busy() - self.busy - (self._get_own() - self.own)
        about = machine.describe()
        return (
            f"{datetime.now(timezone.utc):%Y-%m-%d}, {about['cpu']}, {about['cores']} cores, "
            f"kernel {about['kernel']}, {about['distribution']}, Python {about['python']}, "
            f"{about['redis']}; {rounds} rounds in {seconds:.0f} s.",
            f"State of the machine: load average {self.load:.2f} before the start; others used "
            f"{100 * max(0.0, others) / seconds / cores:.0f} % of its cores meanwhile; the "
            f"kernel takes {time_a_system_call():.2f} µs for the least of its calls.",
        )


def time_a_system_call() -> float:
    """µs, by Python: what a machine's day is like, when all else is equal."""
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter_ns()
        for _ in range(1000):
            os.getppid()
        best = min(best, time.perf_counter_ns() - began)
    return best / 1e6


def show(figures: Figures, key: str, state: str) -> str:
    numbers = figures.get(key, state)
    return f"{statistics.median(numbers):.2f} ({min(numbers):.2f}-{max(numbers):.2f})"


def get_ratios(figures: Figures, key: str, other: str) -> list[float]:
    states = ("busy", "asleep")
    return [figures.get_median(other, s) / figures.get_median(key, s) for s in states]


def tell(text: str, ratio: float) -> str:
    return f"{text}: " + ("yes" if ratio >= 1 else f"NO, {100 * (1 - ratio):.0f} % short")


def judge(figures: Figures, key: str, goal: tuple[float, float] | None) -> str:
    """For each thing to be reached: what it is, and yes or no."""
    if goal is None:
        return ""
    told = [
        tell(f"{state} <= {limit:g}", limit / figures.get_median(key, state))
        for state, limit in zip(("busy", "asleep"), goal, strict=True)
    ]
    ratio = min(get_ratios(figures, key, "redis-py"))
    return "; ".join([*told, tell(f">= {TIMES} x redis-py", ratio / TIMES)])


def get_cells(
    figures: Figures, key: str, title: str, goal: tuple[float, float] | None
) -> list[str]:
    cells = [title, *(show(figures, key, state) for state in Medians._fields)]
    for other in "redis-py", "frappe":
        ratios = " / ".join(f"{ratio:.0f}" for ratio in get_ratios(figures, key, other))
        cells.append(ratios if "." in key else "")
    return [*cells, judge(figures, key, goal)]


HEAD = ("median µs of one call", *Medians._fields, "redis-py / it", "Frappe / it", "to be reached")


def make_table(figures: Figures, told: tuple[str, str]) -> str:
    widths = (42, 24, 24, 24, 15, 13, 0)
    lines = [HEAD, *(get_cells(figures, *row) for row in ROWS)]
    rows = ["".join(f"{cell:{w}}" for cell, w in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*told, "", *(row.rstrip() for row in rows)])


def accept(figures: Figures, told: tuple[str, str]) -> None:
    """Puts the table where docs/performance.md has one."""
    lines = [*told, "", f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for row in ROWS:
        cells = get_cells(figures, *row)
        text = " | ".join(cell or "-" for cell in cells)
        lines.append(f"| {text.replace('<=', '≤').replace('>=', '≥').replace('NO,', 'no,')} |")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}" + "\n".join(lines) + f"\n\n{END}{after}")
