"""Adds up what each suite left in the results folders: `N passed, N failed`.

Three kinds of file: a line `N passed, N failed` (C programs, lint), JUnit XML (pytest), and TAP
(Node). A file that was cut short, because its suite was, counts as one failure.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree


def read(path: Path) -> tuple[int, int, int]:
    """Passed, failed, skipped."""
    text = path.read_text()
    if path.suffix == ".xml":
        try:
            suites = ElementTree.fromstring(text).iter("testsuite")
        except ElementTree.ParseError:
            return 0, 1, 0
        total = failed = skipped = 0
        for suite in suites:
            total += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
        return total - failed - skipped, failed, skipped
    if path.suffix == ".tap":
        found = dict(re.findall(r"^# (pass|fail|cancelled|skipped|todo) (\d+)$", text, re.M))
        if not found:
            return 0, 1, 0
        number = {key: int(value) for key, value in found.items()}
        failed = number.get("fail", 0) + number.get("cancelled", 0)
        return number.get("pass", 0), failed, number.get("skipped", 0) + number.get("todo", 0)
    match = re.fullmatch(r"(\d+) passed, (\d+) failed\n", text)
    return (int(match[1]), int(match[2]), 0) if match else (0, 1, 0)


def main() -> int:
    rows = []
    for folder in sys.argv[1:]:
        for path in sorted(Path(folder).glob("*")):
            rows.append(read(path))
            print("{:28}{:6} passed {:4} failed {:4} skipped".format(str(path), *rows[-1]))
    passed, failed, skipped = (sum(row[i] for row in rows) for i in range(3))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    raise SystemExit(main())
