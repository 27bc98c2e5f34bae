"""Holds the Python package to the table in docs/architecture.md, by reading its import lines."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "frappe_rt"


def read_table():
    """Part -> the parts that it may import, as the document says."""
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.split("\n## The Python package\n")[1].split("\n## ")[0]
    table = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            names, _, imports = (cell.strip() for cell in line.strip("|").split("|"))
            for name in re.findall(r"`([^`]+)`", names):
                table[name.rstrip("/")] = set(imports.replace("-", "").split())
    return table


TABLE = read_table()


def find_part(module):
    """The row of a module given with dots and without `frappe_rt`: ``cli.serving.run``."""
    words = module.split(".")
    both = "/".join(words[:2])
    return both if both in TABLE else words[0]


def read_imports(path):
    """Modules of the package that a file imports, wherever in it: ``config``, ``_rt``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "frappe_rt":
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("frappe_rt."):
            yield from (f"{node.module[10:]}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (n.name[10:] for n in node.names if n.name.startswith("frappe_rt."))


FILES = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[0] != "_"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports(path):
    part = find_part(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    imported = {find_part(module) for module in read_imports(path)} - {"__version__", part}
    assert imported <= TABLE[part], f"{part} may import only {' '.join(sorted(TABLE[part]))}"


def test_every_part_is_in_the_table_and_imports_what_it_says():
    used = {part: set() for part in TABLE}
    for path in FILES:
        part = find_part(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
        used[part] |= {find_part(module) for module in read_imports(path)} - {"__version__", part}
    assert used == TABLE
