"""`make test` and `make test-slow`: together they run every test, and they say how long each stage took."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGES = ROOT / ".ci" / "stages"
WITH_AN_ENGINE = {ROOT / "tests" / "containers"}


def pytest_command(target):
    """Return the words of the command with which a target of the Makefile runs pytest."""
    shown = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (stage,) = re.findall(r"'[a-z ]*tests=(.*pytest.*)'", shown.stdout)
    return shlex.split(stage)


def test_what_one_leaves_out_the_other_runs():
    *short, short_marker = pytest_command("test")
    *long, long_marker = pytest_command("test-slow")
    assert short == long
    assert short[-1] == "-m"
    assert (short_marker, long_marker) == ("not slow", "slow")
    assert not [
        word for word in short if word.startswith(("-k", "--ignore", "--deselect", "tests"))
    ]


def test_both_look_for_tests_wherever_there_are_some():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    looked_through = {ROOT / path for path in options["testpaths"]} | WITH_AN_ENGINE
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert looked_through & set(path.parents), path


@pytest.mark.parametrize("code", [0, 3])
def test_stages_are_timed_up_to_the_first_that_fails(code):
    stages = ["set up=echo one", f"checks=exit {code}", "tests=echo two && false"]
    ended = subprocess.run([STAGES, *stages], capture_output=True, text=True, check=False)
    assert ended.returncode == (code or 1)
    printed = re.sub(r" +\d+ min +\d+ s$", " took some time", ended.stdout, flags=re.MULTILINE)
    timed = [f"== {name} took some time" for name in ("set up", "checks", "tests")]
    if code:
        assert printed.splitlines() == ["one", *timed[:2], "== checks failed"]
    else:
        assert printed.splitlines() == ["one", "two", *timed, "== tests failed"]
