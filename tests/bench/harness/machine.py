"""The machine: which core is whose, what a process has used, and in what state all was."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

_ALLOWED = sorted(os.sched_getaffinity(0))
#: One core for the server, the rest for all else; with one core alone they share it.
SERVER_CORE = _ALLOWED[0]
LOAD_CORES = set(_ALLOWED[1:]) or {SERVER_CORE}
PINNED = len(_ALLOWED) > 1


def pin_self():
    """All that is started from here on inherits it; the server is moved by `taskset`."""
    os.sched_setaffinity(0, LOAD_CORES)


def on_server_core(command):
    return ["taskset", "-c", str(SERVER_CORE), *map(str, command)]


def get_cpu(pid):
    """Seconds of CPU that a process has used, all its threads, to the nanosecond."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:  # a thread that has just ended
            continue
    return total / 1e9


def get_core_busy(cores):
    """Seconds for which these cores were at work, for anybody."""
    names = {f"cpu{core}" for core in cores}
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in names:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            busy += user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK")


def get_memory(pid, what="Rss"):
    """Bytes: `Rss` or `Pss`."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {what} of process {pid}")


def reset_peak(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def get_peak(pid):
    """Bytes: the largest RSS since `reset_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmHWM of process {pid}")


def get_kernel_memory():
    """Bytes of the kernel's slabs: sockets, files and what belongs to them, of both ends."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Slab:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Slab in /proc/meminfo")


def _first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.splitlines()[0] if done.stdout else "none"


def describe():
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":")[1].strip()
            break
    release = platform.freedesktop_os_release()
    return {
        "cpu": cpu,
        "cores": len(_ALLOWED),
        "pinned": PINNED,
        "kernel": platform.release().split("-")[0],
        "distribution": release.get("PRETTY_NAME", "unknown"),
        "compiler": _first_line("gcc", "--version"),
        "python": platform.python_version(),
        "node": _first_line("node", "--version"),
        "redis": _first_line("redis-server", "--version").split(" sha=")[0],
    }
