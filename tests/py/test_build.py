"""What the build promises: one symbol leaves the module, and the right variant is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import frappe_rt._rt

ROOT = Path(__file__).parents[2]
VARIANT = "build/asan/site" if "FRAPPE_RT_SANITIZED" in os.environ else "."
EXTENSION = ROOT / VARIANT / "frappe_rt" / "_rt.abi3.so"


def dynamic_symbols() -> str:
    command = ["nm", "--dynamic", EXTENSION]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_only_the_init_function_is_exported() -> None:
    """uvloop's libuv, hiredis-py and pycurl may live in the same process."""
    defined = [line.split()[-2:] for line in dynamic_symbols().splitlines() if " U " not in line]
    exported = [name for kind, name in defined if kind in "TDBRVuiW" and not weak_hook(kind, name)]
    assert exported == ["PyInit__rt"]


def weak_hook(kind: str, name: str) -> bool:
    """Symbols that every shared object asks for weakly, such as __cxa_finalize."""
    return kind == "w" or name.startswith(("__cxa_", "__gmon_", "_ITM_", "__asan_", "__odr_asan"))


def test_the_module_imported_here_is_the_one_built() -> None:
    assert Path(frappe_rt._rt.__file__) == EXTENSION.absolute()
    assert ("__asan_" in dynamic_symbols()) == ("FRAPPE_RT_SANITIZED" in os.environ)


def test_a_child_started_in_the_checkout_imports_the_same_module() -> None:
    code = "import frappe_rt._rt; print(frappe_rt._rt.__file__)"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == str(EXTENSION.absolute())
