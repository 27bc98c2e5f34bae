"""frappe_rt beside its peers: the same jobs against each, in interleaved rounds.

    make bench                          all of it, under 10 minutes
    make bench BENCH=--quick            a minute, to see that it works; no figures to keep
    make bench BENCH="--only fanout"    groups: start connect fanout paced unicast large polling
                                        restart memory growth

Prints a table, and writes build/bench.json and build/bench.svg. Fails when deliveries were lost by
any contender. docs/performance.md says what is measured, and how.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from harness import contenders, jobs, machine
from harness.load import Failed, Surroundings
from harness.plot import make_svg
from harness.rows import SAME_SAMPLES, Results
from harness.table import make_data, make_table

GROUPS = sorted({group for job in jobs.ALL for group in job.groups})


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round with fewer clients")
    parser.add_argument("--only", action="append", choices=GROUPS, help="only this group of rows")
    parser.add_argument("--rounds", type=int, help="default: 3, with --quick 1")
    names = [c.name for c in contenders.ALL]
    parser.add_argument("--contender", action="append", choices=names, help="only this one")
    parser.add_argument("--out", type=Path, default=contenders.ROOT / "build/bench.json")
    given = parser.parse_args()
    given.rounds = given.rounds or (1 if given.quick else 3)
    return given


def choose(names):
    """Those that can run here, and (title, reason) of those that cannot."""
    present, missing = [], []
    for contender in contenders.ALL:
        if names and contender.name not in names:
            continue
        reason = contender.missing()
        if reason is None:
            present.append(contender)
        else:
            missing.append((contender.title, reason))
    return present, missing


def measure_one(job, contender, around, interpreter, results):
    try:
        for key, sample in job.measure(contender, around):
            if key == "start.accepting":
                sample["interpreter"] = interpreter[contender.name]
            results.add(key, contender.name, sample)
            for shown, of in SAME_SAMPLES.items():
                if of == key:
                    results.add(shown, contender.name, sample)
    except (Failed, RuntimeError, OSError) as error:
        results.failures.append(f"{contender.title}, {type(job).__name__}: {error}")


def measure_all(given, present):
    results = Results()
    sizes = jobs.Sizes(given.quick)
    to_do = [job(sizes, given.only) for job in jobs.ALL]
    interpreter = {c.name: contenders.measure_interpreter(c.interpreter) for c in present}
    with Surroundings() as around:
        for number in range(given.rounds):
            for job in to_do:
                turn = present[number % len(present) :] + present[: number % len(present)]
                for contender in turn:
                    if job.takes(contender, number):
                        began = time.monotonic()
                        measure_one(job, contender, around, interpreter, results)
                        took = f"{time.monotonic() - began:.1f} s"
                        name = type(job).__name__
                        print(
                            f"round {number + 1}  {name:16} {contender.title:16} {took}",
                            file=sys.stderr,
                        )
    return results


def get_others(results, name):
    """What others used of cores, over all samples: the share of the time, median and most."""
    found = sorted(
        sample[name]
        for of_row in results.samples.values()
        for samples in of_row.values()
        for sample in samples
        if name in sample
    )
    return {"median": found[len(found) // 2], "most": found[-1]} if found else None


def main():
    given = parse()
    present, missing = choose(given.contender)
    machine.pin_self()
    load_before = os.getloadavg()[0]
    began = time.monotonic()
    results = measure_all(given, present)
    state = {
        "rounds": given.rounds,
        "quick": given.quick,
        "seconds": round(time.monotonic() - began),
        "load_average_before": round(load_before, 2),
        "others_on_the_servers_core": get_others(results, "others"),
        "others_on_the_loads_cores": get_others(results, "others_load"),
    }
    print(make_table(results, present, missing))
    print(json.dumps(state))
    data = make_data(results, present, missing, machine.describe(), state)
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(json.dumps(data, indent=1) + "\n")
    given.out.with_suffix(".svg").write_text(make_svg(data))
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
