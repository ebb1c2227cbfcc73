"""`blox status`, `jobs`, `retry`, `pause` and `resume`, as operators type them, in this process."""

import json
import sqlite3
from pathlib import Path

import pytest

from blox_store.store import Store
from tests.support.results import claimed, made_up_result, made_up_run

COMMANDS_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "commands.md"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py"\nBoom: x in [/data]'


@pytest.fixture
def succeed(typed, own_store_url):
    """Runs a command line that has to succeed, and returns what it printed.

    In its run jobs 0 to 2 have failed, 3 has succeeded, 4 is running, 5 to 9 are pending.
    """
    with Store(own_store_url) as store:
        made = made_up_run(store, indices=range(10))
        for index in range(3):
            lease = claimed(store, made, index)
            store.jobs.fail(lease, TRACEBACK, kind="Boom", max_attempts=1, backoff_s=0)
        store.results.complete(claimed(store, made, 3), made_up_result(5))
        claimed(store, made, 4)
    return typed.succeed


def rows(tmp_path, query):
    with sqlite3.connect(tmp_path / "blox.db") as connection:
        return connection.execute(query).fetchall()


def test_status_as_json_agrees_with_sql_and_the_docs(succeed, tmp_path):
    known = json.loads(succeed("blox status --json"))
    (of_run,), (worker,) = known["runs"], known["workers"]
    in_sql = dict(rows(tmp_path, "SELECT state, count(*) FROM jobs GROUP BY state"))
    assert {state: count for state, count in of_run["jobs"].items() if count} == in_sql
    assert of_run["failures"] == {"Boom": 3}
    assert (worker["name"], worker["device"], worker["arch_index"]) == ("somebody", None, 4)
    described = COMMANDS_PAGE.read_text()
    for name in known:
        assert f"`{name}`" in described or f"`{name}[]`" in described, name
    for name in (*of_run, *worker):
        assert f"`.{name}`" in described or f"`.{name}[]`" in described, name
    (listed, *_) = json.loads(succeed("blox jobs --json --state failed"))["jobs"]
    for name in (*of_run["failed"][0], *listed, *listed["history"][0]):
        assert f"`{name}`" in described, name


def test_failed_jobs_are_found_and_retried(succeed, tmp_path):
    shown = succeed("blox jobs --state failed")
    assert shown.count(TRACEBACK.replace("\n", "\n    ")) == 3
    assert shown.count("  somebody, Boom, ") == 3
    assert "a00002, failed after 1 attempt:" in shown
    assert "a00003" not in shown
    assert "1 failed job to be tried again" in succeed("blox retry 1 --priority 7")
    query = "SELECT state, attempts, priority, error FROM jobs WHERE arch_index = 1"
    assert rows(tmp_path, query) == [("pending", 0, 7, None)]
    assert rows(tmp_path, "SELECT arch_index FROM attempts ORDER BY 1") == [(0,), (2,)]


def test_a_run_is_paused_and_goes_on(succeed, tmp_path):
    paused = succeed("blox pause")
    assert "is paused: no job starts, 1 running job goes on to the end" in paused
    assert paused.count("\n") == 1
    assert rows(tmp_path, "SELECT paused FROM runs") == [(1,)]
    resumed = succeed("blox resume --run 1")
    assert "goes on: 5 jobs may start" in resumed
    assert resumed.count("\n") == 1
    assert rows(tmp_path, "SELECT paused FROM runs") == [(0,)]
