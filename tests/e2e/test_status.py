"""`blox status --watch`, as operators and programs look at it."""

import json
import os
import pty
import signal
import subprocess

import psycopg
import pytest
from sqlalchemy.engine import make_url

from blox_store.store import Store
from tests.support.commands import environment
from tests.support.results import made_up_run
from tests.support.servers import wait_until

WATCH = "blox status --watch --every 0.05"


@pytest.fixture
def run(tmp_path):
    """A run of ten jobs."""
    with Store(f"sqlite:///{tmp_path}/blox.db", migrate=True) as store:
        return made_up_run(store, indices=range(10))


def test_watching_goes_on_until_ctrl_c(commands, run):
    process = commands.start(f"{WATCH} --json")
    for _ in range(3):
        assert json.loads(process.stdout.readline())["runs"][0]["total"] == 10
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    for line in out.splitlines():
        json.loads(line)


@pytest.mark.slow
def test_watching_outlasts_an_outage(commands, postgres_server, postgres_store_url):
    name = make_url(postgres_store_url).database
    process = commands.start(f"{WATCH} --json --database {postgres_store_url}")
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
    with Store(postgres_store_url) as store:
        made_up_run(store, seed=77)
    wait_until(lambda: "seed 77" in process.stdout.readline(), "what came after the outage")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.slow
def test_watching_a_pipe_shows_one_state_below_the_other(commands, run):
    process = commands.start(WATCH)
    headlines = 0
    while headlines < 3:
        headlines += "10 pending" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


@pytest.mark.slow
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
            while shown.count(b"10 pending") < 3:
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
