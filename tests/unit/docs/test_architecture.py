"""docs/explanation/architecture.md names every room of the packages, and no other.

A room is a folder of source files. The page names one by its path from the checkout's top with a
slash at its end, `blox_core/space/`: in a table, a listing, a picture's label or a sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
PACKAGES = ("blox", "blox_core", "blox_store", "blox_worker")
SOURCES = {".py", ".cpp"}
ROOM = re.compile(r"(?<![\w./-])blox\w*(?:/\w+)*/(?![\w.*])")


def rooms_in(text: str) -> set[str]:
    """Return the rooms that a text names."""
    return set(ROOM.findall(text))


def rooms_of(root: Path) -> set[str]:
    """Return the rooms that exist, rooms inside rooms included."""
    files = (file for package in PACKAGES for file in (root / package).rglob("*"))
    folders = {file.parent for file in files if file.suffix in SOURCES}
    return {f"{folder.relative_to(root).as_posix()}/" for folder in folders}


def test_the_rooms_that_are_named_are_those_that_exist() -> None:
    named, existing = rooms_in(PAGE.read_text()), rooms_of(ROOT)
    missing, gone = sorted(existing - named), sorted(named - existing)
    assert not missing + gone, f"not named: {' '.join(missing)}; not there: {' '.join(gone)}"


def test_a_room_ends_in_a_slash() -> None:
    text = "| `blox/` | and blox_core/space/, not `blox_core`, blox_core/data/cifar or x/blox_core/"
    assert rooms_in(text) == {"blox/", "blox_core/space/"}


def test_only_folders_with_sources_are_rooms(tmp_path: Path) -> None:
    files = {"blox": "a.py", "blox_store/store/jobs": "b.py", "blox_core/codec": "c.cpp"}
    others = {"blox_worker/__pycache__": "d.pyc", "tests": "e.py"}
    for folder, name in (files | others).items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).touch()
    assert rooms_of(tmp_path) == {f"{folder}/" for folder in files}


def test_no_room_is_crowded() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    crowded = {room: n for room, n in Counter(file.parent for file in files).items() if n > 13}
    assert not crowded
