"""Schedulers die, hang and are stopped: another one goes on, and two at once do no harm."""

from __future__ import annotations

import socket

import pytest

from blox_store.store import Run
from tests.support import faults
from tests.support.cluster import Cluster

STANDS_BY = "stands by"


@pytest.mark.slow
def test_schedulers_are_stopped_die_and_hang(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    stopped = cluster.scheduler(run)
    wait_until_queued(cluster, 3)
    one_is_stopped(cluster, run, stopped)
    killed = cluster.scheduler(run)
    wait_until_queued(cluster, 3)
    frozen = a_standby_takes_over_from_a_killed_one(cluster, run, killed)
    wait_until_queued(cluster, 3)
    active = one_that_was_frozen_for_longer_than_its_lease_stands_by(cluster, run, frozen)
    wait_until_queued(cluster, 6)

    assert holds(cluster, run, active)
    cluster.complete(run)
    assert [cluster.exit_code(scheduler) for scheduler in (frozen, active)] == [0, 0]
    assert cluster.store.schedulers.holder(run.id) is None
    late = cluster.scheduler(run)
    assert cluster.exit_code(late) == 0
    assert "6 succeeded" in cluster.log(len(cluster.processes) - 1)
    cluster.finish(run)


def holds(cluster: Cluster, run: Run, scheduler: faults.Process) -> bool:
    """Whether a process is the run's active scheduler."""
    return cluster.store.schedulers.holder(run.id) == f"{socket.gethostname()}:{scheduler.pid}"


def wait_until_active(cluster: Cluster, run: Run, scheduler: faults.Process) -> None:
    cluster.wait(lambda: holds(cluster, run, scheduler), "a scheduler to be active")


def wait_until_queued(cluster: Cluster, messages: int) -> None:
    """Wait for so many messages, or more: one that is sent twice is harmless."""
    broker = cluster.broker()
    cluster.wait(lambda: broker.waiting() >= messages, f"{messages} messages")


def one_is_stopped(cluster: Cluster, run: Run, scheduler: faults.Process) -> None:
    faults.ask_to_stop(scheduler)
    assert cluster.exit_code(scheduler) == 0, cluster.printed()
    assert cluster.store.schedulers.holder(run.id) is None
    faults.lose_redis_data(cluster)


def a_standby_takes_over_from_a_killed_one(
    cluster: Cluster, run: Run, active: faults.Process
) -> faults.Process:
    """Return the scheduler that has taken over."""
    wait_until_active(cluster, run, active)
    standby = cluster.scheduler(run)
    number = len(cluster.processes) - 1
    cluster.wait(lambda: STANDS_BY in cluster.log(number), "the standby")
    assert holds(cluster, run, active)

    faults.kill(active)
    faults.lose_redis_data(cluster)

    wait_until_active(cluster, run, standby)
    return standby


def one_that_was_frozen_for_longer_than_its_lease_stands_by(
    cluster: Cluster, run: Run, frozen: faults.Process
) -> faults.Process:
    """Return the scheduler that has taken over."""
    standby = cluster.scheduler(run)

    faults.freeze(frozen)
    wait_until_active(cluster, run, standby)
    cluster.add_jobs(run, 3)
    listened = cluster.listen()
    faults.thaw(frozen)
    cluster.wait(lambda: STANDS_BY in listened(), "the thawed scheduler to look")
    return standby
