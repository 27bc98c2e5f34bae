"""The rows of the table: what is shown of the samples of a key, and what shall be reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

US = "frappe_rt"


@dataclass(frozen=True)
class Row:
    key: str
    title: str
    unit: str
    #: A sample to the number that is shown.
    value: Callable[[dict], float]
    #: Whether more is better.
    more: bool
    #: Given `Results`: None, or (what shall be reached, the ratio to it: at least 1 is reached).
    reach: Callable[[Results], tuple[str, float] | None] = lambda results: None
    digits: int = 1
    #: More of the same samples, below the row: title, sample to text.
    notes: tuple[tuple[str, Callable[[dict], str]], ...] = ()


class Results:
    """Samples by row and contender."""

    def __init__(self):
        self.samples = {}
        #: Why a contender has none: (key or job, contender) -> text.
        self.failures = []

    def add(self, key, contender, sample):
        self.samples.setdefault(key, {}).setdefault(contender, []).append(sample)

    def get(self, row, contender):
        """The numbers of a row, one a round."""
        return [row.value(s) for s in self.samples.get(row.key, {}).get(contender, [])]

    def get_median(self, row, contender=US):
        numbers = self.get(row, contender)
        return statistics.median(numbers) if numbers else None

    def get_middle_sample(self, row, contender):
        """The sample whose number is the median, or next to it."""
        samples = self.samples.get(row.key, {}).get(contender, [])
        return sorted(samples, key=row.value)[(len(samples) - 1) // 2] if samples else None


def _ratio(row_key, results, divide):
    row = BY_KEY[row_key]
    mine = results.get_median(row)
    return None if mine is None else divide(row, mine)


def at_least(key, limit, text):
    return lambda results: _ratio(key, results, lambda row, mine: (text, mine / limit))


def at_most(key, limit, text):
    """Nothing at all, or less, counts as a byte or a microsecond of the unit."""
    return lambda results: _ratio(key, results, lambda row, mine: (text, limit / max(mine, 1e-3)))


def against(key, contender, factor, text):
    """At least `factor` times another's number, or where less is better at most that."""

    def reach(results):
        other = results.get_median(BY_KEY[key], contender)
        if not other:
            return None

        def divide(row, mine):
            ratio = mine / (factor * other) if row.more else factor * other / max(mine, 1e-9)
            return text, ratio

        return _ratio(key, results, divide)

    return reach


def both(*reaches):
    """The one that is furthest from being reached; all texts."""

    def reach(results):
        found = [r for r in (one(results) for one in reaches) if r]
        if not found:
            return None
        return "; ".join(text for text, _ in found), min(ratio for _, ratio in found)

    return reach


def close_to(key, other_key, share, text):
    """The cost is at most `share` above that of another row."""

    def reach(results):
        other = results.get_median(BY_KEY[other_key])
        if not other:
            return None
        return _ratio(key, results, lambda row, mine: (text, (1 + share) * other / mine))

    return reach


def show_number(value):
    """Three digits that count, and never an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def kilo(sample):
    return sample["per_cpu_s"] / 1e3


def cpu_us(sample):
    return sample["cpu_us"]


def size_in(unit):
    return lambda sample: sample["bytes"] / unit


def show_generator(sample):
    return f"{100 * sample['generator']:.0f} %" + (" sat." if sample["saturated"] else "")


def show_kernel(sample):
    return f"{sample['kernel_bytes'] / 1024:.1f} KB"


def after_interpreter(sample):
    return sample["seconds"] - sample.get("interpreter", 0)


K = ("events per write (K)", lambda s: f"{s['k']:.1f}")
GENERATOR = ("generator's CPU", show_generator)
LATE = ("late sends", lambda s: str(s["late"]))
ROUND_TRIP = ("p50 / p99 ms", lambda s: f"{s['p50_ms']:.2f} / {s['p99_ms']:.2f}")


def _fanout(key, title, reach):
    notes = (K, GENERATOR)
    return Row(key, title, "k deliveries per CPU-s", kilo, True, reach, notes=notes)


def _of_floor(key):
    return against(key, "floor", 0.9, ">= 90 % of the floor")


ROWS = (
    _fanout("fanout.1000.k1", "fan-out, 1000 clients, K = 1", _of_floor("fanout.1000.k1")),
    _fanout("fanout.1000.k16", "fan-out, 1000 clients, K = 16", _of_floor("fanout.1000.k16")),
    _fanout(
        "fanout.1000.window",
        "fan-out, 1000 clients, window 64",
        against("fanout.1000.window", "bun", 20, ">= 20 x Bun"),
    ),
    _fanout(
        "fanout.200.window",
        "fan-out, 200 clients, window 64",
        against("fanout.200.window", "bun", 20, ">= 20 x Bun"),
    ),
    Row(
        "paced.1000",
        "fan-out, 1000 clients, 20 a second",
        "k deliveries per CPU-s",
        kilo,
        True,
        _of_floor("paced.1000"),
        notes=(LATE, GENERATOR),
    ),
    Row(
        "paced.1000.p50",
        "fan-out, 20 a second: latency, p50",
        "ms",
        lambda s: s["p50_ms"],
        False,
        against("paced.1000.p50", "floor", 1.1, "<= 1.1 x floor"),
        2,
    ),
    Row(
        "paced.1000.p99",
        "fan-out, 20 a second: latency, p99",
        "ms",
        lambda s: s["p99_ms"],
        False,
        against("paced.1000.p99", "floor", 1.1, "<= 1.1 x floor"),
        2,
    ),
    Row(
        "unicast.64",
        "unicast, 1000 rooms, window 64",
        "k events per CPU-s",
        kilo,
        True,
        at_least("unicast.64", 130, ">= 130 k"),
        notes=(ROUND_TRIP, GENERATOR),
    ),
    Row(
        "unicast.512",
        "unicast, 1000 rooms, window 512",
        "k events per CPU-s",
        kilo,
        True,
        notes=(ROUND_TRIP, GENERATOR),
    ),
    Row(
        "connect.1000",
        "connect with login, cold, 1000",
        "us of CPU a client",
        cpu_us,
        False,
        at_most("connect.1000", 100, "<= 100 us"),
        notes=(GENERATOR,),
    ),
    Row(
        "connect.many",
        "connect with login, 5000",
        "us of CPU a client",
        cpu_us,
        False,
        at_most("connect.many", 100, "<= 100 us"),
        notes=(GENERATOR,),
    ),
    Row(
        "memory.websocket.many",
        "memory of an idle client, 5000",
        "KB of RSS",
        size_in(1024),
        False,
        at_most("memory.websocket.many", 1, "<= 1 KB"),
        2,
        notes=(("kernel, both ends", show_kernel),),
    ),
    Row(
        "memory.websocket.most",
        "memory of an idle client, 20 000",
        "KB of RSS",
        size_in(1024),
        False,
        at_most("memory.websocket.most", 1, "<= 1 KB"),
        2,
        notes=(("clients", lambda s: str(s["clients"])), ("kernel, both ends", show_kernel)),
    ),
    Row(
        "memory.polling.many",
        "memory of an idle polling client, 5000",
        "KB of RSS",
        size_in(1024),
        False,
        at_most("memory.polling.many", 2, "<= 2 KB"),
        2,
    ),
    Row(
        "memory.polling.most",
        "memory of an idle polling client, 20 000",
        "KB of RSS",
        size_in(1024),
        False,
        at_most("memory.polling.most", 2, "<= 2 KB"),
        2,
    ),
    Row(
        "memory.cycles",
        "growth over connect-disconnect cycles",
        "% of RSS",
        lambda s: 100 * s["growth"],
        False,
        at_most("memory.cycles", 2, "flat: <= 2 %"),
        notes=(("cycles x clients", lambda s: f"{s['cycles']} x {s['clients']}"),),
    ),
    Row(
        "start.pss",
        "idle server",
        "MB of PSS",
        size_in(1 << 20),
        False,
        at_most("start.pss", 12, "<= 12 MB"),
    ),
    Row(
        "start.hosted",
        "a hosted thread adds",
        "MB of PSS",
        size_in(1 << 20),
        False,
        at_most("start.hosted", 3, "<= 3 MB"),
        2,
    ),
    Row(
        "start.accepting",
        "start to accepting, after the interpreter",
        "s",
        after_interpreter,
        False,
        at_most("start.accepting", 0.1, "<= 0.1 s"),
        3,
        notes=(("with the interpreter", lambda s: f"{s['seconds']:.3f}"),),
    ),
    Row(
        "restart",
        "2000 clients back after a restart",
        "s",
        lambda s: s["seconds"],
        False,
        at_most("restart", 0.35, "<= 0.35 s"),
        2,
        notes=(("clients", lambda s: str(s["clients"])),),
    ),
    _fanout(
        "polling.200.k1",
        "fan-out, 200 polling clients, K = 1",
        against("polling.200.k1", "node", 5, ">= 5 x Node"),
    ),
    _fanout(
        "polling.200.window",
        "fan-out, 200 polling clients, window 64",
        against("polling.200.window", "node", 5, ">= 5 x Node"),
    ),
    Row(
        "large",
        "1 MB to 200 clients, RSS at its peak",
        "MB more",
        size_in(1e6),
        False,
        at_most("large", 1 + 200 * 0.065536, "<= 14.1 MB"),
        2,
        notes=(GENERATOR,),
    ),
    Row("growth.clients.100", "CPU of a delivery, K = 1, 100 clients", "us", cpu_us, False),
    Row(
        "growth.clients.1000",
        "CPU of a delivery, K = 1, 1000 clients",
        "us",
        cpu_us,
        False,
        close_to("growth.clients.1000", "growth.clients.100", 0.2, "<= 1.2 x 100's"),
    ),
    Row(
        "growth.clients.most",
        "CPU of a delivery, K = 1, 20 000 clients",
        "us",
        cpu_us,
        False,
        close_to("growth.clients.most", "growth.clients.100", 0.2, "<= 1.2 x 100's"),
        notes=(("clients", lambda s: str(s["clients"])), GENERATOR),
    ),
    Row("growth.rooms.few", "CPU of a unicast event, 1000 rooms", "us", cpu_us, False, digits=2),
    Row(
        "growth.rooms.many",
        "CPU of a unicast event, 100 000 rooms",
        "us",
        cpu_us,
        False,
        close_to("growth.rooms.many", "growth.rooms.few", 0.2, "<= 1.2 x"),
        2,
    ),
    Row("growth.leave.few", "CPU of a client that leaves 3 rooms", "us", cpu_us, False),
    Row(
        "growth.leave.many",
        "CPU of a client that leaves 103 rooms",
        "us",
        cpu_us,
        False,
        notes=(("own rooms", lambda s: str(s["own_rooms"])),),
    ),
)
BY_KEY = {row.key: row for row in ROWS}
#: Rows that show another number of another row's samples.
SAME_SAMPLES = {"paced.1000.p50": "paced.1000", "paced.1000.p99": "paced.1000"}
