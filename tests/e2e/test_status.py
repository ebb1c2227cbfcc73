"""`blox status`, `jobs`, `retry`, `pause` and `resume`, as operators type them."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from blox_store.store import Store
from tests.support.commands import environment
from tests.support.results import claimed, made_up_result, made_up_run
from tests.support.servers import wait_until

COMMANDS_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py"\nBoom: x in [/data]'
WATCH = "blox status --watch --every 0.05"


@pytest.fixture
def run(tmp_path):
    """A run in which jobs 0 to 2 have failed, 3 has succeeded, 4 is running, 5 to 9 are pending."""
    with Store(f"sqlite:///{tmp_path}/blox.db", migrate=True) as store:
        made = made_up_run(store, indices=range(10))
        for index in range(3):
            lease = claimed(store, made, index)
            store.jobs.fail(lease, TRACEBACK, kind="Boom", max_attempts=1, backoff_s=0)
        store.results.complete(claimed(store, made, 3), made_up_result(5))
        claimed(store, made, 4)
        return made


def rows(tmp_path, query):
    with sqlite3.connect(tmp_path / "blox.db") as connection:
        return connection.execute(query).fetchall()


def test_status_as_json_agrees_with_sql_and_the_docs(commands, tmp_path, run):
    known = json.loads(commands.succeed("blox status --json"))
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
    (listed, *_) = json.loads(commands.succeed("blox jobs --json --state failed"))["jobs"]
    for name in (*of_run["failed"][0], *listed, *listed["history"][0]):
        assert f"`{name}`" in described, name


def test_watching_goes_on_until_ctrl_c(commands, run):
    process = commands.start(f"{WATCH} --json")
    for _ in range(3):
        assert json.loads(process.stdout.readline())["runs"][0]["total"] == 10
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    for line in out.splitlines():
        json.loads(line)


def test_watching_outlasts_an_outage(commands, postgres_server, postgres_url):
    with Store(postgres_url, migrate=True):
        pass
    name = make_url(postgres_url).database
    process = commands.start(f"{WATCH} --json --database {postgres_url}")
    assert json.loads(process.stdout.readline())["runs"] == []
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        # It keeps its connection from look to look.
        admin.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        assert "is not currently accepting connections" in process.stderr.readline()
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    with Store(postgres_url) as store:
        made_up_run(store, seed=77)
    wait_until(lambda: "seed 77" in process.stdout.readline(), "what came after the outage")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_watching_a_pipe_shows_one_state_below_the_other(commands, run):
    process = commands.start(WATCH)
    headlines = 0
    while headlines < 3:
        headlines += "5 pending, 1 running, 1 succeeded, 3 failed" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_watching_a_terminal_draws_over_the_last_state(tmp_path, run):
    ours, its = pty.openpty()
    with (
        os.fdopen(ours, "rb", buffering=0) as terminal,
        subprocess.Popen(
            WATCH.split(), cwd=tmp_path, env=environment(TERM="xterm"), stdin=its, stdout=its
        ) as process,
    ):
        os.close(its)
        try:
            shown = b""
            while shown.count(b"5 pending, 1 running") < 3:
                shown += terminal.read(4096)
            process.send_signal(signal.SIGINT)
            drain(terminal)
            assert process.wait(60) == 0
        finally:
            process.kill()
    cursor_up = b"\x1b[1A"
    assert cursor_up in shown


def drain(terminal):
    """Read until the program has closed its terminal, which Linux reports as an error."""
    try:
        while terminal.read(4096):
            pass
    except OSError:
        return


def test_failed_jobs_are_found_and_retried(commands, tmp_path, run):
    shown = commands.succeed("blox jobs --state failed")
    assert shown.count(TRACEBACK.replace("\n", "\n    ")) == 3
    assert shown.count("  somebody, Boom, ") == 3
    assert "a00002, failed after 1 attempt:" in shown
    assert "a00003" not in shown
    assert "1 failed job to be tried again" in commands.succeed("blox retry 1 --priority 7")
    query = "SELECT state, attempts, priority, error FROM jobs WHERE arch_index = 1"
    assert rows(tmp_path, query) == [("pending", 0, 7, None)]
    assert rows(tmp_path, "SELECT arch_index FROM attempts ORDER BY 1") == [(0,), (2,)]


def test_a_run_is_paused_and_goes_on(commands, tmp_path, run):
    paused = commands.succeed("blox pause")
    assert "is paused: no job starts, 1 running job goes on to the end" in paused
    assert paused.count("\n") == 1
    assert rows(tmp_path, "SELECT paused FROM runs") == [(1,)]
    resumed = commands.succeed("blox resume --run 1")
    assert "goes on: 5 jobs may start" in resumed
    assert resumed.count("\n") == 1
    assert rows(tmp_path, "SELECT paused FROM runs") == [(0,)]
