"""Redis dies, forgets, hangs or is not there: trainings go on, and the queue is filled again."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from blox_store.store import JobState, Run
from tests.support import faults
from tests.support.cluster import Cluster

SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.4"}
IMPATIENT = {"BLOX_BROKER_TIMEOUT_S": "1"}
STOPS_WITHIN_S = 30  # 6 on an idle machine; Celery by itself would take four timeouts of 10


def test_redis_is_killed_and_comes_back_with_its_data(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    cluster.scheduler(run)
    cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)

    faults.restart_redis(cluster)

    cluster.finish(run)
    assert held.items() <= cluster.tokens(run).items()
    assert "Connection to broker lost" in cluster.printed()
    assert "Warning:" not in cluster.printed()  # Celery's, of what it may change one day


def test_redis_comes_back_without_its_data(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    cluster.scheduler(run)
    cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)

    faults.lose_redis_data(cluster)

    cluster.finish(run)
    assert held.items() <= cluster.tokens(run).items()
    assert "the broker has lost messages" in cluster.printed()


def test_redis_is_away_when_everything_starts(cluster: Cluster) -> None:
    run = cluster.make_run(2)
    faults.stop_redis(cluster)

    cluster.scheduler(run)
    cluster.launcher("0")

    cluster.wait(lambda: "; trying again" in cluster.printed(), "the scheduler to miss Redis")
    cluster.wait(lambda: "Cannot connect to redis" in cluster.printed(), "a worker to miss Redis")
    assert cluster.store.jobs.counts(run.id)[JobState.PENDING] == 2
    faults.start_redis(cluster)
    cluster.finish(run)


def test_redis_is_frozen_for_longer_than_its_timeouts(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    cluster.scheduler(run, **IMPATIENT)
    cluster.launcher("0", **SLOWLY, **IMPATIENT)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)

    faults.freeze_redis(cluster)

    cluster.wait(lambda: held.keys() <= cluster.tokens(run).keys(), "the result of the training")
    cluster.wait(lambda: "; trying again" in cluster.printed(), "the scheduler to miss Redis")
    cluster.wait(lambda: "Connection to broker lost" in cluster.printed(), "a worker to miss Redis")
    assert cluster.tokens(run) == held
    faults.thaw_redis(cluster)
    cluster.finish(run)
    assert held.items() <= cluster.tokens(run).items()
    assert "Traceback" not in cluster.printed()


def test_redis_that_refuses_writes_costs_no_worker_its_place(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    cluster.scheduler(run)
    cluster.launcher("0", BLOX_MAX_FAULTS_IN_A_ROW="2", **SLOWLY)
    cluster.wait_for_epoch(run)

    faults.refuse_writes_to_redis(cluster)

    refused = "the broker refused a command"
    cluster.wait(lambda: cluster.printed().count(refused) >= 3, "refusals")
    faults.refuse_writes_to_redis(cluster, refuse=False)
    cluster.finish(run)
    assert "given up" not in cluster.printed()


def test_a_scheduler_waits_for_a_redis_that_refuses_writes(cluster: Cluster) -> None:
    run = cluster.make_run(2)
    faults.refuse_writes_to_redis(cluster)
    cluster.scheduler(run)
    cluster.wait(lambda: "; trying again" in cluster.printed(), "the scheduler to be refused")
    faults.refuse_writes_to_redis(cluster, refuse=False)
    cluster.launcher("0")
    cluster.finish(run)


def test_redis_that_hangs_for_a_moment_leaves_no_worker_idle(cluster: Cluster) -> None:
    """An acknowledgement times out, while the connection that it was made on lives on."""
    run = cluster.make_run(300, epochs=1)
    cluster.scheduler(run, **IMPATIENT)
    cluster.launcher("0,1", BLOX_SIMULATED_EPOCH_S="0", **IMPATIENT)
    for hung in range(1, 4):
        done = 40 * hung
        cluster.wait(lambda done=done: count_done(cluster, run) >= done, f"{done} results")
        faults.freeze_redis(cluster)
        cluster.wait(
            lambda hung=hung: cluster.printed().count("; trying again") >= hung, "a timeout"
        )
        faults.thaw_redis(cluster)
    cluster.finish(run)


def count_done(cluster: Cluster, run: Run) -> int:
    return cluster.store.jobs.counts(run.id)[JobState.SUCCEEDED]


@pytest.mark.parametrize("vanishes", [faults.stop_redis, faults.freeze_redis])
def test_all_can_be_stopped_while_redis_does_not_answer(
    cluster: Cluster, vanishes: Callable[[Cluster], None]
) -> None:
    run = cluster.make_run(2)
    processes = [cluster.scheduler(run, **IMPATIENT), cluster.launcher("0", **SLOWLY)]
    cluster.wait_for_epoch(run)

    vanishes(cluster)
    started = time.monotonic()
    for process in processes:
        faults.ask_to_stop(process)

    cluster.wait(lambda: not cluster.alive(), "scheduler and worker to end")
    took = time.monotonic() - started
    assert [process.wait() for process in processes] == [0, 0], cluster.printed()
    assert took < STOPS_WITHIN_S, cluster.printed()
    assert cluster.store.jobs.counts(run.id)[JobState.RUNNING] == 0
    faults.thaw_redis(cluster)
    faults.start_redis(cluster)
    cluster.scheduler(run)
    cluster.launcher("0")
    cluster.finish(run)
