"""`docs/reference/query-api.md`: its examples give what they show, and it leaves no name out."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import pytest

import blox

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "query-api.md"
TEXT = PAGE.read_text()
MODULES = (blox.search_space, blox.graph_utils, blox.io, blox.utils)


def test_the_examples_give_what_they_show(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(golden / "release-e12", tmp_path / "release")
    monkeypatch.chdir(tmp_path)
    examples = "".join(re.findall(r"^```pycon\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
    assert examples.count(">>>") > 20
    test = doctest.DocTestParser().get_doctest(examples, {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    failed, _ = doctest.DocTestRunner().run(test, out=said.append)
    assert not failed, "".join(said)


def test_every_public_name_is_described() -> None:
    names = {name for name in dir(blox.Dataset) if not name.startswith("_")}
    names |= {name for module in MODULES for name in module.__all__}
    names |= set(blox.__all__) | {"get_model", "budget", "bench_info", "static_info", "env_info"}
    assert {name for name in names if not re.search(rf"\b{name}\b", TEXT)} == set()
