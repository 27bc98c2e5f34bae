"""Runs C test programs one after the other and says how many tests passed.

Each argument is one command line. A cmocka program counts as many tests as it reports; any other
program is one test, passed when it exits with 0. A program that crashes, hangs or leaks counts as
one failure more, so that a green total means that everything ran to its end.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 120  # the most one program may take

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "die_after_fork=0:second_deadlock_stack=1",
}


def count(output: str, status: int) -> tuple[int, int]:
    """Passed and failed, from what cmocka printed and how the program ended."""
    totals = re.findall(r"\[  (PASSED|FAILED)  \] (?:tests: )?(\d+) test\(s\)", output)
    passed = sum(int(n) for what, n in totals if what == "PASSED")
    failed = sum(int(n) for what, n in totals if what == "FAILED")
    if not totals and status == 0:
        # A cmocka program that ends before its report has not passed.
        return (0, 1) if "[==========]" in output else (1, 0)
    if status != 0 and failed == 0:
        failed = 1
    return passed, failed


def run(command: str) -> tuple[int, int]:
    start = time.monotonic()
    try:
        done = subprocess.run(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            env={**SANITIZERS, **os.environ},
        )
        output, status = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode(errors="replace") + f"\nstill running at {SECONDS} s\n"
        status = -1
    passed, failed = count(output, status)
    if failed:
        sys.stdout.write(output)
    name = shlex.split(command)[0]
    word = "FAIL" if failed else "ok"
    seconds = time.monotonic() - start
    print(f"{word:5}{name}  {passed}/{passed + failed}  {seconds:.2f} s", flush=True)
    if status and failed:
        print(f"     exit status {status}", flush=True)
    return passed, failed


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--results", type=Path, help="file that gets the closing line")
    options.add_argument("commands", nargs="*")
    args = options.parse_args()
    results = [run(command) for command in args.commands]
    passed, failed = sum(r[0] for r in results), sum(r[1] for r in results)
    line = f"{passed} passed, {failed} failed"
    if args.results:
        args.results.write_text(line + "\n")
    print(line)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    raise SystemExit(main())
