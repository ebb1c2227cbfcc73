"""docs/contributing/claims.md names the tests of all claims of users' pages, which name none."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
LIST = DOCS / "contributing" / "claims.md"
HEADS = {  # a table whose rows are claims is known by its first head
    "how-to/operations.md": {"what happens"},
    "reference/query-api.md": {"query", "call"},
    "reference/compatibility.md": {"the published package"},
    "explanation/security.md": {"threat"},
}
SECTION = re.compile(r"^## \[.+\]\(\.\./(.+)\)\n((?:(?!## ).*\n)*)", re.MULTILINE)
SECTIONS = dict(SECTION.findall(LIST.read_text()))
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
TEST = re.compile(r"`([\w/]*test_\w+\.py)::(\w+)`")  # a test, or a step of one
NAME_OF_A_TEST = re.compile(r"\btests/[\w/]*|\btest_\w+\.py")
TEST_FILES = [path.as_posix() for path in (ROOT / "tests").rglob("test_*.py")]


def rows_in(text: str, heads: set[str]) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables that begin with one of these heads."""
    for table in TABLE.findall(text):
        head, _, *rows = (
            [cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()
        )
        if head[0] in heads:
            yield from rows


def differences(text: str, heads: set[str], listed: str) -> Iterator[str]:
    """Yield what a page claims and its section of the list lacks, and the other way round."""
    rows = Counter(row[1] if row[0] == "—" else row[0] for row in rows_in(text, heads))
    claims = Counter(claim for claim, _ in rows_in(listed, {"claim"}))
    yield from (f"{row}: list its tests" for row in rows - claims)
    yield from (f"{claim}: no row of the page" for claim in claims - rows)
    flat = " ".join(text.split())
    sentences = [sentence for sentence, _ in rows_in(listed, {"sentence"})]
    yield from (f"{sentence}: not on the page" for sentence in sentences if sentence not in flat)


@cache
def functions_of(path: str) -> list[str]:
    """Return the names of a module's functions, also of those in classes."""
    module = ast.parse(Path(path).read_text())
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    nodes = (node for scope in (module, *classes) for node in scope.body)
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef)]


def count_of(file: str, name: str) -> int:
    """Return how many functions have a name in the files whose path ends so."""
    paths = [path for path in TEST_FILES if path.endswith(f"/{file}")]
    return sum(functions_of(path).count(name) for path in paths)


def unclear_tests(listed: str) -> Iterator[str]:
    """Yield the claims and sentences without a test, and the tests that are not exactly one."""
    for claim, tests in rows_in(listed, {"claim", "sentence"}):
        for test in tests.split(", "):
            if not (named := TEST.fullmatch(test)):
                yield f"{claim}: {test!r} is not `FILE.py::FUNCTION`"
            elif (count := count_of(*named.groups())) != 1:
                yield f"{claim}: {count} tests are {test}; name the one that makes the claim"


@pytest.mark.parametrize("page", sorted(HEADS.keys() | SECTIONS.keys()))
def test_all_claims_of_a_page_are_listed_and_no_others(page: str) -> None:
    text, heads = (DOCS / page).read_text(), HEADS.get(page, set())
    found = list(differences(text, heads, SECTIONS.get(page, "")))
    assert not found, f"correct {LIST.relative_to(ROOT)} for {page}:\n" + "\n".join(found)


def test_every_test_that_is_listed_exists_once() -> None:
    found = list(unclear_tests(LIST.read_text()))
    assert not found, f"correct {LIST.relative_to(ROOT)}:\n" + "\n".join(found)


def test_users_pages_name_no_test() -> None:
    pages = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *DOCS.rglob("*.md")]
    found = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in pages
        if page.parent != LIST.parent
        for name in NAME_OF_A_TEST.findall(page.read_text())
    ]
    assert not found, f"name these in {LIST.relative_to(ROOT)} instead:\n" + "\n".join(found)


def test_what_is_missing_wrong_or_too_much_is_found() -> None:
    page = (
        "It\nflies.\n| what | is |\n|-|-|\n| a | b |\n| — | c |\n| a | d |\n\n| no |\n|-|\n| x |\n"
    )
    listed = (
        "| claim | tests |\n|-|-|\n| a | `unit/docs/test_claims.py::test_users_pages_name_no_test` |\n"
        "| b | `test_claims.py::test_nothing` |\n\n"
        "| sentence | tests |\n|-|-|\n| It flies. | test_x |\n| It swims. | |\n"
    )
    assert list(differences(page, {"what"}, listed)) == [
        "a: list its tests",
        "c: list its tests",
        "b: no row of the page",
        "It swims.: not on the page",
    ]
    assert [fault.partition(": ")[0] for fault in unclear_tests(listed)] == [
        "b",
        "It flies.",
        "It swims.",
    ]
