"""Messages come too often, of jobs that are not there, or while the run is paused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import redis

from blox_store.store import JobState, Run
from tests.support import faults
from tests.support.cluster import Cluster

SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.4"}


def test_message_that_comes_three_times_is_one_training(cluster: Cluster) -> None:
    run = cluster.make_run(1)
    faults.deliver(cluster, run, 0, times=3)

    cluster.launcher("0,1", **SLOWLY)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)
    broker = cluster.broker()
    cluster.wait(lambda: not broker.waiting(), "both workers to have taken their messages")
    cluster.wait_until_ended(run)
    faults.deliver(cluster, run, 0, times=2)

    cluster.wait(lambda: not broker.waiting(), "the late messages to be taken")
    cluster.finish(run)
    assert cluster.tokens(run) == held


def test_messages_of_what_is_not_in_the_store_are_forgotten(cluster: Cluster) -> None:
    run = cluster.make_run(1)
    faults.deliver(cluster, replace(run, id=run.id + 1), 0, times=1)
    faults.deliver(cluster, run, 91_124, times=1)

    cluster.scheduler(run)
    cluster.launcher("0")
    cluster.wait_until_ended(run)
    faults.deliver(cluster, run, 0, times=1)

    cluster.wait(lambda: not cluster.broker().waiting(), "all messages to be taken")
    cluster.finish(run)
    assert cluster.broker().waiting() == 0  # none came back from the worker that was stopped
    assert "Traceback" not in cluster.printed()


class Touched:
    """What makes a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._file,)


def test_messages_are_json_and_a_pickle_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    run = cluster.make_run(1)
    faults.deliver(cluster, run, 0, times=1)
    with redis.Redis.from_url(cluster.redis.url) as client:
        (key,) = client.keys(f"{cluster.app().conf.task_default_queue}*")  # by priority
        (message,) = client.lrange(key, 0, -1)
    assert json.loads(message)["content-type"] == "application/json"
    faults.deliver_pickled(cluster, Touched(tmp_path / "touched"))

    cluster.launcher("0")
    cluster.wait(lambda: not cluster.broker().waiting(), "both messages to be taken")
    cluster.wait(lambda: "Refusing to deserialize" in cluster.printed(), "the refusal")
    cluster.finish(run)
    assert not (tmp_path / "touched").exists()


def test_run_is_paused_with_a_full_queue(cluster: Cluster) -> None:
    run = cluster.make_run(6)
    cluster.scheduler(run)
    cluster.wait(lambda: count(cluster, run, JobState.QUEUED) == 6, "a full queue")
    cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)

    cluster.store.runs.set_paused(run.id, True)

    cluster.wait(
        lambda: not count(cluster, run, JobState.QUEUED) and not cluster.running(run),
        "the queue to be drained, and what was begun before to end",
    )
    done = cluster.tokens(run)
    assert held.items() <= done.items()
    assert count(cluster, run, JobState.PENDING) == 6 - len(done) > 0
    assert cluster.broker().waiting() == 0
    cluster.store.runs.set_paused(run.id, False)
    cluster.finish(run)
    assert done.items() <= cluster.tokens(run).items()


def count(cluster: Cluster, run: Run, state: JobState) -> int:
    return cluster.store.jobs.counts(run.id)[state]
