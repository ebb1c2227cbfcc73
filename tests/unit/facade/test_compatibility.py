"""Every call and every difference that the pages list names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
REFERENCE = TESTS.parent / "docs" / "reference"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
every_page = pytest.mark.parametrize("page", ["compatibility.md", "query-api.md"])


def text_of(page: str) -> str:
    return (REFERENCE / page).read_text()


@every_page
def test_every_row_names_a_test(page: str) -> None:
    tables = [table.splitlines() for table in TABLE.findall(text_of(page))]
    rows = [row for head, _, *rows in tables if head.endswith("| test |") for row in rows]
    assert len(rows) > 25
    assert [row for row in rows if not NAMED.search(row.split("|")[-2])] == []


@every_page
def test_the_tests_exist(page: str) -> None:
    for file, name in NAMED.findall(text_of(page)):
        found = [path for path in TESTS.rglob(file) if f"def {name}(" in path.read_text()]
        assert found, f"{file}::{name}"
