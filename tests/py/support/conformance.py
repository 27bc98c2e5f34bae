"""The conformance program as a process of its own."""

import os
import re
import subprocess
from pathlib import Path

from support.bench import PATIENCE

PROGRAM = os.environ.get(
    "FRAPPE_RT_CONFORMANCE", str(Path(__file__).parents[3] / "build/conformance")
)


def clean_environment():
    """Without what the sanitized interpreter sets for itself: here leaks are looked for."""
    left_out = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_PRELOAD")
    return {key: value for key, value in os.environ.items() if key not in left_out}


def spawn(*words):
    return subprocess.Popen(
        [PROGRAM, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(),
    )


def run(*words):
    """Exit status and all it said, of a program that ends by itself."""
    with spawn(*words) as child:
        try:
            output, _ = child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
    return child.returncode, output


class Conformance:
    """Listening, on a free port unless told which."""

    def __init__(self, mode, *options, port=0):
        self.mode = mode
        self.options = options
        self.start(port)

    def start(self, port):
        self.child = spawn(self.mode, port, *self.options)
        self.line = self.child.stdout.readline()
        match = re.search(r"listens on http://localhost:(\d+)(/\S*)$", self.line)
        assert match, self.line + self.child.stdout.read()
        self.port = int(match[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        """Ends it. Since it listens it must have said nothing, about leaks for example."""
        if not self.child.stdout.closed:
            self.child.terminate()
            output, _ = self.child.communicate(timeout=PATIENCE)
            assert (self.child.returncode, output) == (0, "")

    def kill(self):
        """Its clients see their connections break."""
        self.child.kill()
        self.child.communicate(timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.child.kill()
            self.child.wait()
