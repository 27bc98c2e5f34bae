"""Random lives: start, publish, fork, stop and exit in any order, from any thread.

A hundred and fifty here, a thousand with FRAPPE_RT_THOROUGH=1. To lead one that failed again:
`python -m support.life SEED FOLDER` in tests/py.
"""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.bench import PATIENCE
from support.processes import TESTS

THOROUGH = bool(os.environ.get("FRAPPE_RT_THOROUGH"))
PARTS = 10
EACH = 100 if THOROUGH else 15
CRASH = re.compile("Fatal Python error|Sanitizer|runtime error:|AssertionError|Segmentation")


def lead(seed, folder):
    """What is wrong with it; empty: nothing. Its children hold its pipes: they must end too."""
    folder = folder / str(seed)
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "support.life", str(seed), str(folder)],
        cwd=TESTS,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        told, said = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # it and its children: each says where it is
        _, said = process.communicate()
        return f"seed {seed} hangs:\n{said}"
    if process.returncode != int(told or -1000) or CRASH.search(said):
        return f"seed {seed} ended with {process.returncode}, not {told}:\n{said}"
    return ""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_lives(part, tmp_path):
    seeds = range(part * EACH, part * EACH + EACH)
    with ThreadPoolExecutor(2) as pool:
        wrong = list(filter(None, pool.map(lambda seed: lead(seed, tmp_path), seeds)))
    assert not wrong, "\n\n".join(wrong)
