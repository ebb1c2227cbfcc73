"""Redis dies, forgets, hangs or is not there: trainings go on, and the queue is filled again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blox_store.store import JobState, Run
from tests.support import faults
from tests.support.cluster import SEED, Cluster

SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.4"}
IMPATIENT = {"BLOX_BROKER_TIMEOUT_S": "1"}


def test_redis_restarts_with_and_without_its_data(cluster: Cluster) -> None:
    run = cluster.make_run(0)
    cluster.scheduler(run, stays=True)
    cluster.launcher("0", **SLOWLY)

    said = said_in_an_outage(cluster, run, faults.restart_redis)
    assert "Connection to broker lost" in said
    assert "Warning:" not in said  # Celery's, of what it may change one day

    said = said_in_an_outage(cluster, run, faults.lose_redis_data)
    assert "the broker has lost messages" in said
    cluster.finish(run)


def said_in_an_outage(cluster: Cluster, run: Run, outage: Callable[[Cluster], None]) -> str:
    """Strike Redis while a job is in training and one is queued; return what was printed."""
    listened = cluster.listen()
    cluster.add_jobs(run, 2)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)
    outage(cluster)
    cluster.wait_until_ended(run)
    assert held.items() <= cluster.tokens(run).items()
    return listened()


@pytest.mark.slow
def test_redis_hangs_is_away_and_refuses_writes(cluster: Cluster) -> None:
    quick, run = cluster.make_run(80, epochs=1), cluster.make_run(0, epochs=100, seed=SEED + 1)
    settings = IMPATIENT | {"BLOX_SIMULATED_EPOCH_S": "0.03"}
    processes = [
        cluster.scheduler(quick, stays=True, **settings),
        cluster.launcher("0,1", **settings),
    ]
    it_hangs_for_moments_and_leaves_no_worker_idle(cluster, quick)
    it_hangs_for_longer_than_its_timeouts(cluster, run)
    all_can_be_stopped(cluster, run, processes, faults.freeze_redis)
    faults.thaw_redis(cluster)

    faults.stop_redis(cluster)
    cluster.add_jobs(run, 1)
    processes = [
        cluster.scheduler(run, stays=True, **settings),
        cluster.launcher("0", **settings),
    ]
    it_is_away_when_everything_starts(cluster, run)
    all_can_be_stopped(cluster, run, processes, faults.stop_redis)
    faults.start_redis(cluster)

    a_scheduler_waits_until_it_takes_writes(cluster, run)
    cluster.launcher("0", BLOX_MAX_FAULTS_IN_A_ROW="1", **settings)
    cluster.begin(run)
    a_worker_waits_until_it_takes_writes(cluster)
    cluster.finish(quick, run)
    assert "given up" not in cluster.printed()


def it_hangs_for_moments_and_leaves_no_worker_idle(cluster: Cluster, run: Run) -> None:
    """Freeze Redis three times, each time until an acknowledgement times out on its connection."""
    for hung in range(1, 4):
        done = 16 * hung
        cluster.wait(lambda done=done: count_done(cluster, run) >= done, f"{done} results")
        listened = cluster.listen()
        faults.freeze_redis(cluster)
        cluster.wait(lambda heard=listened: "; trying again" in heard(), "a timeout")
        faults.thaw_redis(cluster)
    cluster.wait_until_ended(run)


def count_done(cluster: Cluster, run: Run) -> int:
    return cluster.store.jobs.counts(run.id)[JobState.SUCCEEDED]


def begin_by_hand(cluster: Cluster, run: Run, number: int) -> dict[int, str]:
    """Publish jobs without a scheduler; return the leases of those that are in training."""
    for index in cluster.add_jobs(run, number):
        faults.deliver(cluster, run, index, times=1)
    cluster.wait_for_epoch(run)
    return cluster.leases(run)


def it_hangs_for_longer_than_its_timeouts(cluster: Cluster, run: Run) -> None:
    held = begin_by_hand(cluster, run, 3)
    listened = cluster.listen()
    faults.freeze_redis(cluster)
    cluster.wait(lambda: held.keys() <= cluster.tokens(run).keys(), "the results of the trainings")
    cluster.wait(lambda: "; trying again" in listened(), "the scheduler to miss Redis")
    cluster.wait(lambda: "Connection to broker lost" in listened(), "a worker to miss Redis")
    assert held.items() <= cluster.tokens(run).items()
    faults.thaw_redis(cluster)
    cluster.wait_until_ended(run)
    assert held.items() <= cluster.tokens(run).items()
    assert "Traceback" not in listened()


def all_can_be_stopped(
    cluster: Cluster,
    run: Run,
    processes: list[faults.Process],
    vanishes: Callable[[Cluster], None],
) -> None:
    """Take Redis away during a training and stop everything; the job is given back."""
    begin_by_hand(cluster, run, 1)
    vanishes(cluster)
    for process in processes:
        faults.ask_to_stop(process)
    cluster.wait_until_gone()
    assert [process.wait() for process in processes] == [0, 0], cluster.printed()
    assert cluster.store.jobs.counts(run.id)[JobState.RUNNING] == 0


def it_is_away_when_everything_starts(cluster: Cluster, run: Run) -> None:
    before = cluster.store.jobs.counts(run.id)
    listened = cluster.listen()
    cluster.wait(lambda: "; trying again" in listened(), "the scheduler to miss Redis")
    cluster.wait(lambda: "Cannot connect to redis" in listened(), "a worker to miss Redis")
    assert cluster.store.jobs.counts(run.id) == before
    assert before[JobState.PENDING] >= 1
    faults.start_redis(cluster)
    cluster.wait_until_ended(run)


def a_scheduler_waits_until_it_takes_writes(cluster: Cluster, run: Run) -> None:
    listened = cluster.listen()
    with faults.redis_refuses_writes(cluster):
        cluster.scheduler(run, stays=True)
        cluster.wait(lambda: "; trying again" in listened(), "the scheduler to be refused")


def a_worker_waits_until_it_takes_writes(cluster: Cluster) -> None:
    """Refuse more often than a worker may have faults."""
    refused = "the broker refused a command"
    with faults.redis_refuses_writes(cluster):
        cluster.wait(lambda: cluster.printed().count(refused) >= 2, "refusals")
