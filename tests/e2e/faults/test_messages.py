"""Jobs that fail everywhere, and messages that come too often, of nothing, or while a run is paused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from blox_store import command_line
from blox_store.store import JobState, Run
from blox_worker.commands import command
from tests.support import faults
from tests.support.cluster import SEED, Cluster

SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.4"}
POISON = 2


@pytest.mark.slow
def test_jobs_and_messages_that_are_not_as_they_should_be(cluster: Cluster) -> None:
    run = cluster.make_run(4)
    cluster.scheduler(run, stays=True)
    failing = cluster.launcher("0,1", BLOX_SIMULATED_FAILURES=str(POISON))
    poison_fails_alone(cluster, run)
    faults.ask_to_stop(failing)
    assert cluster.exit_code(failing) == 0
    retry(cluster, run)

    cluster.add_jobs(run, 5)
    cluster.wait(lambda: count(cluster, run, JobState.QUEUED) == 6, "a full queue")
    messages_are_json(cluster)
    listened = cluster.listen()
    cluster.launcher("0,1", **SLOWLY)
    pause_drains_the_queue(cluster, run)
    repeated = messages_that_come_too_often_are_one_training(cluster)
    known = messages_of_what_is_not_in_the_store_are_forgotten(cluster)
    assert "Traceback" not in listened()
    a_pickle_is_refused(cluster)

    cluster.finish(run, repeated, known)
    assert cluster.broker().waiting() == 0  # none came back from the workers that were stopped


def count(cluster: Cluster, run: Run, state: JobState) -> int:
    return cluster.store.jobs.counts(run.id)[state]


def poison_fails_alone(cluster: Cluster, run: Run) -> None:
    """Check that the poison had all its attempts, on two workers, and that it is known why."""
    cluster.wait_until_ended(run)
    states = [job.state for job in cluster.store.jobs.matching(run.id)]
    assert states == [
        JobState.FAILED if index == POISON else JobState.SUCCEEDED for index in range(4)
    ]
    attempts = cluster.store.jobs.attempts(run.id, POISON)
    assert len(attempts) == 3
    assert {attempt.kind for attempt in attempts} == {"SimulatedFailure"}
    assert len({attempt.worker for attempt in attempts}) == 2
    failed = cluster.job(run, POISON)
    assert failed.attempts == 3
    assert failed.error is not None
    assert "Traceback" in failed.error
    assert "as BLOX_SIMULATED_FAILURES says" in failed.error
    assert cluster.store.jobs.failures(run.id) == {"SimulatedFailure": 3}


def retry(cluster: Cluster, run: Run) -> None:
    line = ["retry", str(POISON), "--run", str(run.id), "--database", cluster.database_url]
    assert command_line.run(command, "blox", line) == 0


def messages_are_json(cluster: Cluster) -> None:
    with redis.Redis.from_url(cluster.redis.url) as client:
        keys = client.keys(f"{cluster.app().conf.task_default_queue}*")
        queues = [key for key in keys if client.type(key) == b"list"]  # by priority
        messages = [message for key in queues for message in client.lrange(key, 0, -1)]
    kinds = {json.loads(message)["content-type"] for message in messages}
    assert kinds == {"application/json"}


def pause_drains_the_queue(cluster: Cluster, run: Run) -> None:
    before = cluster.tokens(run).keys()
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)

    cluster.store.runs.set_paused(run.id, True)

    cluster.wait(
        lambda: not count(cluster, run, JobState.QUEUED) and not cluster.running(run),
        "the queue to be drained, and what was begun before to end",
    )
    done = cluster.tokens(run)
    assert held.items() <= done.items()
    assert count(cluster, run, JobState.PENDING) == 6 - len(done.keys() - before) > 0
    assert cluster.broker().waiting() == 0
    cluster.store.runs.set_paused(run.id, False)
    cluster.wait_until_ended(run)
    assert done.items() <= cluster.tokens(run).items()


def messages_that_come_too_often_are_one_training(cluster: Cluster) -> Run:
    run = cluster.make_run(1, seed=SEED + 1)
    faults.deliver(cluster, run, 0, times=3)

    cluster.wait_for_epoch(run)
    held = cluster.leases(run)
    wait_until_taken(cluster)
    cluster.wait_until_ended(run)
    faults.deliver(cluster, run, 0, times=2)

    wait_until_taken(cluster)
    assert cluster.tokens(run) == held
    return run


def messages_of_what_is_not_in_the_store_are_forgotten(cluster: Cluster) -> Run:
    run = cluster.make_run(1, seed=SEED + 2)
    faults.deliver(cluster, replace(run, id=run.id + 1), 0, times=1)
    faults.deliver(cluster, run, 91_124, times=1)

    faults.deliver(cluster, run, 0, times=1)
    cluster.wait_until_ended(run)
    faults.deliver(cluster, run, 0, times=1)

    wait_until_taken(cluster)
    return run


def wait_until_taken(cluster: Cluster) -> None:
    broker = cluster.broker()
    cluster.wait(lambda: not broker.waiting(), "all messages to be taken")


class Touched:
    """What makes a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._file,)


def a_pickle_is_refused(cluster: Cluster) -> None:
    touched = cluster.folder / "touched"
    faults.deliver_pickled(cluster, Touched(touched))

    wait_until_taken(cluster)
    cluster.wait(lambda: "Refusing to deserialize" in cluster.printed(), "the refusal")
    assert not touched.exists()
