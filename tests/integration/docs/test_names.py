"""Every dotted name of our packages that docs and docstrings give in backticks exists."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAME = re.compile(r"`(?:python -m )?(blox_(?:core|store|worker)(?:\.\w+)+)")


@cache
def names_in(module: Path) -> set[str]:
    """Return what a module defines or imports at its top."""
    found: set[str] = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        found |= {node.name} if isinstance(node, ast.FunctionDef | ast.ClassDef) else set()
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def exists(root: Path, name: str) -> bool:
    """Return whether a dotted name is a room, a module, or something at the top of one."""
    here = root
    parts = name.split(".")
    while parts and (here / parts[0]).is_dir():
        here /= parts.pop(0)
    if parts and (here / f"{parts[0]}.py").is_file():
        module = here / f"{parts.pop(0)}.py"
    else:
        module = here / "__init__.py"
    return module.is_file() and (not parts or parts[0] in names_in(module))


def test_every_dotted_name_exists() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.md", "blox*/*.py"], cwd=ROOT, check=True, capture_output=True
    )
    pages = [path for path in listed.stdout.decode().split() if path != "CHANGELOG.md"]
    gone = [
        f"{page}: {name}"
        for page in pages
        for name in NAME.findall((ROOT / page).read_text())
        if not exists(ROOT, name)
    ]
    assert not gone, "\n".join(gone)


def test_a_name_that_is_gone_is_found(tmp_path: Path) -> None:
    (tmp_path / "blox_core" / "space").mkdir(parents=True)
    (tmp_path / "blox_core" / "space" / "graph.py").write_text(
        "SIZE: int = 2\ndef minimal(): ...\n"
    )
    (tmp_path / "blox_core" / "space" / "__init__.py").write_text("from math import pi\n")
    there = ("blox_core.space", "blox_core.space.graph.SIZE", "blox_core.space.graph.minimal")
    assert all(exists(tmp_path, name) for name in (*there, "blox_core.space.pi"))
    gone = ("blox_core.graph", "blox_core.space.graph.largest", "blox_core.space.e")
    assert not any(exists(tmp_path, name) for name in gone)
