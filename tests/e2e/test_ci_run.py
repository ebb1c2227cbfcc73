"""`.ci/run`: the order of what it runs, and how it ends, with stand-ins for all that it calls."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CI = Path(__file__).parents[2] / ".ci"
STAND_INS = {
    "bin/apt-get": "exit 0",
    "bin/make": """
echo "make $*"
case "$1" in
  test) [ -z "$BEGUN" ] || read -r _ <"$BEGUN"; exit "${TEST:-0}" ;;
  test-slow) exit "${SLOW:-0}" ;;
  test-containers) echo "with $BLOX_TEST_FREE_GB GB"; exit "${CONTAINERS:-0}" ;;
esac""",
    "bin/docker": """
case "$1" in
  info) exit "${INFO:-0}" ;;
  build) exit "${BUILD:-0}" ;;
esac""",
    "engine": """
trap 'echo "the engine ends"' EXIT
(echo "from now on it says so" >"$BEGUN") # in a process of its own: the trap needs standard output
[ -z "${ENGINE:-}" ] || exit "$ENGINE"
"$@\"""",
    "checkout/.ci/need": "exit 0",
}


@pytest.fixture
def ci_run(tmp_path):
    """Runs a copy of `.ci/run` with variables for the stand-ins.

    `make test` waits until the engine has begun: one that is ended before that has nothing to end.
    """
    os.mkfifo(tmp_path / "begun")
    for name, script in STAND_INS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{script}\n")
        path.chmod(0o755)
    for name in ("run", "containers"):
        shutil.copy(CI / name, tmp_path / "checkout" / ".ci" / name)

    def run(**variables):
        environment = os.environ | {
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "BLOX_WITH_ENGINE": f"{tmp_path}/engine",
            "BEGUN": f"{tmp_path}/begun",
        }
        environment.pop("BLOX_TEST_FREE_GB", None)
        return subprocess.run(
            ["bash", tmp_path / "checkout" / ".ci" / "run"],
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_containers_are_tested_beside_the_long_tests(ci_run):
    ended = ci_run()
    assert ended.returncode == 0, ended.stdout
    lines = ended.stdout.splitlines()
    tests = ["make test", "make test-slow", "make test-containers"]  # whose output is shown last
    order = ["make .venv/.python servers programs", *tests, "with 10 GB", "the engine ends"]
    assert [line for line in lines if line in order] == order
    assert lines[-1].startswith("== .ci/run: all after 0 min ")


@pytest.mark.parametrize(
    ("failing", "code", "tests_containers"),
    [
        ({"TEST": "2"}, 2, False),
        ({"SLOW": "2"}, 2, True),
        ({"BUILD": "4"}, 4, False),
        ({"ENGINE": "7"}, 7, False),
        ({"CONTAINERS": "3"}, 3, True),
    ],
)
def test_a_test_that_fails_is_seen_at_the_end_and_the_engine_ends(
    ci_run, failing, code, tests_containers
):
    ended = ci_run(**failing)
    assert ended.returncode == code, ended.stdout
    assert "make test\n" in ended.stdout
    assert ("make test-containers\n" in ended.stdout) == tests_containers
    assert "the engine ends" in ended.stdout
    assert ".ci/run: all" not in ended.stdout
    for later in ("make test-slow\n", "make test-slow after", "make test-containers after"):
        assert (later in ended.stdout) == ("TEST" not in failing)


@pytest.mark.parametrize("answers", [True, False])
def test_an_engine_of_the_machine_is_used_if_it_answers(ci_run, answers):
    ended = ci_run(BLOX_WITH_ENGINE="/nowhere", BEGUN="", INFO="0" if answers else "1")
    assert ended.returncode == 0, ended.stdout
    assert ("make test-containers\n" in ended.stdout) == answers
    assert ("no Docker engine here, and no /nowhere" in ended.stdout) != answers
