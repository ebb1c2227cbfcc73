"""Every difference that `docs/compatibility.md` lists names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
TEXT = (TESTS.parent / "docs" / "compatibility.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("|") and not line.startswith("|--")]
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_every_row_names_a_test() -> None:
    rows = [row for row in ROWS if not row.endswith("| test |")]
    assert len(rows) > 30
    assert [row for row in rows if not NAMED.search(row.split("|")[-2])] == []


def test_the_tests_exist() -> None:
    for file, name in NAMED.findall(TEXT):
        found = [path for path in TESTS.rglob(file) if f"def {name}(" in path.read_text()]
        assert found, f"{file}::{name}"


def test_the_files_that_are_named_exist() -> None:
    paths = re.findall(r"`(tests/\S+\.py)`", TEXT)
    assert paths
    assert all((TESTS.parent / path).is_file() for path in paths)
