"""Schedulers die, hang and are stopped: another one goes on, and two at once do no harm."""

from __future__ import annotations

import socket

from blox_store.store import Run
from tests.support import faults
from tests.support.cluster import Cluster

# An epoch lasts long enough to be seen: heartbeats, which report it, come every 0.5 s.
STANDS_BY = "stands by"
SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.4"}


def holds(cluster: Cluster, run: Run, process: faults.Process) -> bool:
    """Whether a process is the run's active scheduler."""
    return cluster.store.schedulers.holder(run.id) == f"{socket.gethostname()}:{process.pid}"


def test_standby_takes_over_from_a_killed_scheduler(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    active = cluster.scheduler(run)
    cluster.wait(lambda: holds(cluster, run, active), "the first scheduler to be active")
    standby = cluster.scheduler(run)
    cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)
    assert holds(cluster, run, active)

    faults.kill(active)
    faults.lose_redis_data(cluster)

    cluster.wait(lambda: holds(cluster, run, standby), "the standby to be active")
    cluster.wait(lambda: standby.poll() is not None, "the scheduler to end with the run")
    assert standby.wait() == 0
    cluster.finish(run)
    assert cluster.store.schedulers.holder(run.id) is None


def test_scheduler_that_was_frozen_for_longer_than_its_lease_does_no_harm(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    frozen = cluster.scheduler(run)
    cluster.wait(lambda: holds(cluster, run, frozen), "the first scheduler to be active")
    standby = cluster.scheduler(run)

    faults.freeze(frozen)
    cluster.wait(lambda: holds(cluster, run, standby), "the standby to be active")
    cluster.store.runs.add_jobs(run.id, range(3, 6))
    assert STANDS_BY not in cluster.log(0)
    faults.thaw(frozen)
    cluster.wait(lambda: STANDS_BY in cluster.log(0), "the thawed scheduler to look")

    cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)
    assert holds(cluster, run, standby)
    schedulers = (frozen, standby)
    cluster.wait(lambda: all(process.poll() is not None for process in schedulers), "the end")
    assert [process.wait() for process in schedulers] == [0, 0]
    cluster.finish(run)
    assert cluster.store.schedulers.holder(run.id) is None


def test_scheduler_is_stopped_started_again_and_not_needed_any_more(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    stopped = cluster.scheduler(run)
    cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)

    faults.ask_to_stop(stopped)
    assert stopped.wait() == 0, cluster.printed()
    assert cluster.store.schedulers.holder(run.id) is None
    faults.lose_redis_data(cluster)
    cluster.scheduler(run)
    cluster.finish(run)

    late = cluster.scheduler(run)
    cluster.wait(lambda: late.poll() is not None, "a scheduler without work to end")
    assert late.wait() == 0
    assert "3 succeeded" in cluster.printed()
