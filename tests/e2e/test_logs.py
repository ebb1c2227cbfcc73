"""What schedulers, launchers and workers log of jobs: lines for people, or JSON for programs."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy.engine import make_url

from blox_store.store import Run
from tests.support import faults
from tests.support.cluster import Cluster, cluster
from tests.support.servers import free_port, own_postgres, own_redis

REDIS_PASSWORD = "never/to be:seen"
POSTGRES_PASSWORD = "nor-this"
SECRETS = (REDIS_PASSWORD, quote(REDIS_PASSWORD, safe=""), POSTGRES_PASSWORD)
FAILING, OTHER, GIVEN_BACK = 0, 1, 2
SETTINGS = {"BLOX_SIMULATED_EPOCH_S": "0.25", "BLOX_SIMULATED_FAILURES": str(FAILING)}
EPOCHS = 12  # 3 s
EVENTS = {
    "taken": {"INFO"},
    "failed": {"WARNING"},
    "given up": {"WARNING"},
    "finished": {"INFO"},
    "given back": {"INFO"},
}
OF_A_LOST_LEASE = {"lease expired": {"WARNING"}, "lease lost": {"WARNING"}}
LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>[A-Z]+) blox_worker\.job_log: "
    r"run (?P<run>\d+) a(?P<index>\d{5})( attempt (?P<attempt>\d+))?( on (?P<worker>\S+))?: "
    r"(?P<event>[a-z ]+)(: .+)?"
)


@pytest.fixture
def protected(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose servers are reached by passwords."""
    port = free_port()
    url = f"redis://:{quote(REDIS_PASSWORD, safe='')}@127.0.0.1:{port}/0"
    options = ("--port", str(port), "--bind", "127.0.0.1", "--requirepass", REDIS_PASSWORD)
    with own_postgres() as postgres, own_redis(*options, url=url) as redis:
        to_store = make_url(postgres.url).set(password=POSTGRES_PASSWORD)
        shown = to_store.render_as_string(hide_password=False)
        with cluster(tmp_path, postgres, redis, shown) as made:
            yield made


def start(made: Cluster, kind: str) -> tuple[Run, subprocess.Popen[bytes]]:
    """Return a run that has a scheduler, and the launcher of a worker on which one job fails."""
    run = made.make_run(2, epochs=EPOCHS)
    made.start(f"scheduler --run {run.id} --stay", BLOX_LOG=kind)
    return run, made.launcher("0", BLOX_LOG=kind, **SETTINGS)


def lose_a_lease(made: Cluster, run: Run, launcher: subprocess.Popen[bytes]) -> None:
    made.wait(lambda: is_held(made, run, OTHER), "a job to lose its lease")
    (worker,) = made.workers(launcher)
    faults.freeze(worker)
    made.wait(lambda: not made.running(run), "the lease to be ended")
    faults.thaw(worker)


def miss_the_servers(made: Cluster) -> None:
    faults.stop_redis(made)
    made.wait(lambda: "Cannot connect to redis" in made.printed(), "a worker to miss Redis")
    faults.start_redis(made)
    faults.stop_postgres(made)
    made.wait(lambda: "; trying again" in made.printed(), "a scheduler to miss PostgreSQL")
    faults.start_postgres(made)


def stop_in_a_job(made: Cluster, run: Run, launcher: subprocess.Popen[bytes]) -> None:
    made.store.runs.add_jobs(run.id, [GIVEN_BACK])
    made.wait(lambda: is_held(made, run, GIVEN_BACK), "a job to be given back")
    faults.ask_to_stop(launcher)
    assert made.exit_code(launcher) == 0
    made.stop()


def is_held(made: Cluster, run: Run, index: int) -> bool:
    return any(job.arch_index == index for job in made.running(run, epoch=1))


def check_events(events: list[dict[str, Any]], expected: dict[str, set[str]]) -> None:
    levels = defaultdict(set)
    for event in events:
        assert event["run"] == 1
        assert event["index"] in (FAILING, OTHER, GIVEN_BACK)
        assert event["worker"].startswith("gpu0@")
        levels[event["event"]].add(event["level"])
        assert event["attempt"] in ((1, 2, 3) if event["index"] == FAILING else (1,))
    assert expected.items() <= dict(levels).items(), levels
    of_one = [one["event"] for one in events if one["index"] == FAILING]
    assert of_one == ["taken", "failed", "taken", "failed", "taken", "given up"]


@pytest.mark.slow
def test_each_event_of_a_job_is_a_readable_line(protected: Cluster) -> None:
    run, launcher = start(protected, "text")
    protected.wait(lambda: protected.has_ended(run), "one job to be trained, one to be given up")
    stop_in_a_job(protected, run, launcher)
    printed = protected.printed()
    lines = [line for line in printed.splitlines() if "blox_worker.job_log" in line]
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    numbers = ("run", "index", "attempt")
    check_events(
        [
            {
                name: int(text) if name in numbers and text else text
                for name, text in match.groupdict().items()
            }
            for match in found
            if match
        ],
        EVENTS,
    )
    assert "Traceback" not in printed
    assert any(f"{OTHER:05d}" in line and ": finished: val " in line for line in lines)
    check_that_no_secret_is_shown(protected)


@pytest.mark.slow
def test_json_is_one_object_a_line_whoever_prints_it(protected: Cluster) -> None:
    run, launcher = start(protected, "json")
    lose_a_lease(protected, run, launcher)
    protected.wait(lambda: protected.has_ended(run), "one job to be trained, one to be given up")
    miss_the_servers(protected)
    stop_in_a_job(protected, run, launcher)
    objects = []
    for number in range(len(protected.processes)):
        lines = protected.log(number).splitlines()
        objects += [json.loads(line) for line in lines]
    for one in objects:
        assert {"time", "level", "logger", "message"} <= one.keys(), one
        assert datetime.fromisoformat(one["time"]).utcoffset() is not None
    check_events([one for one in objects if "event" in one], EVENTS | OF_A_LOST_LEASE)
    loggers = {one["logger"].partition(".")[0] for one in objects}
    assert loggers - {"py"} == {"blox_worker", "celery"}  # Python's warnings are Celery's
    messages = [one["message"] for one in objects]
    assert any(message.startswith("workers gpu0@") for message in messages)
    assert any(message.startswith("scheduling run 1") for message in messages)
    assert any(message.startswith("stopping as asked") for message in messages)
    check_that_no_secret_is_shown(protected)


def check_that_no_secret_is_shown(protected: Cluster) -> None:
    for secret in SECRETS:
        assert secret not in protected.printed()


def test_an_error_that_ends_a_command_is_json_too(commands) -> None:
    ended = commands.run("blox scheduler", BLOX_LOG="json", BLOX_LEASE_S="1")
    assert (ended.code, ended.out) == (1, "")
    (line,) = ended.err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"]) == ("ERROR", "blox_worker.commands")
    assert told["message"].startswith("BLOX_LEASE_S=1: at least twice BLOX_HEARTBEAT_S=10")


def test_another_kind_of_log_is_refused(commands) -> None:
    ended = commands.run("blox status", BLOX_LOG="xml")
    assert ended.code == 1
    assert ended.err == "blox: BLOX_LOG='xml': Input should be 'text' or 'json'\n"
