"""Nodes that are not as they should be: they stop claiming, say why, and cost no job anything."""

import datetime

import pytest

from blox_store.store import JobState
from tests.support import faults
from tests.support.cluster import SEED

CLOCKS = {"gpu1": "+1d", "gpu2": "-1d"}
SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.3"}


@pytest.mark.slow
def test_nodes_that_are_not_as_they_should_be(cluster):
    run, long_run = cluster.make_run(), cluster.make_run(2, epochs=20, seed=SEED + 1)
    cluster.scheduler(run, stays=True)
    another_trainer_revision_takes_no_job(cluster, run)
    a_full_disk_is_given_up(cluster)

    healthy = wrong_clocks_change_nothing(cluster, run, long_run)
    a_node_on_which_every_job_fails_charges_nobody(cluster, run)
    assert [launcher.poll() for launcher in healthy] == [None, None]
    assert [worker_of(cluster, name).stopped_reason for name in CLOCKS] == [None, None]
    cluster.finish(run, long_run)


def worker_of(cluster, name):
    """Return a worker as the store has it, by the first part of its name."""
    (found,) = [worker for worker in cluster.store.workers.all() if worker.name.startswith(name)]
    return found


def another_trainer_revision_takes_no_job(cluster, run):
    cluster.wait(lambda: cluster.broker().waiting() == 4, "all messages")
    other = cluster.launcher("3", **faults.other_revision(cluster.folder / "other", 2))
    assert cluster.exit_code(other) == 1
    stopped = worker_of(cluster, "gpu3").stopped_reason
    assert stopped.startswith(f"{run}: ")
    assert "another version of Blox" in stopped
    assert {cluster.job(run, index).state for index in range(4)} == {JobState.QUEUED}
    cluster.wait(lambda: cluster.broker().waiting() == 4, "its message to be back in the queue")


def a_full_disk_is_given_up(cluster):
    folder = cluster.folder / "full"
    sick = cluster.launcher(
        "4",
        prefix=faults.on_full_disk(folder),
        BLOX_CHECKPOINT_DIR=str(folder),
        BLOX_MAX_FAULTS_IN_A_ROW="1",
    )
    assert cluster.exit_code(sick) == 1
    stopped = worker_of(cluster, "gpu4").stopped_reason
    assert "No space left on device" in stopped
    assert f"is given up: {stopped}" in cluster.printed()


def wrong_clocks_change_nothing(cluster, run, long_run):
    """Check that nodes do all jobs, and how long leases last; return their launchers."""
    begun, listened = datetime.datetime.now(), cluster.listen()  # logs are in local time
    launchers = [
        cluster.launcher(name.removeprefix("gpu"), **faults.wrong_clock(offset), **SLOWLY)
        for name, offset in CLOCKS.items()
    ]
    cluster.wait_for_workers(*CLOCKS)
    cluster.wait_until_ended(run)
    leases_last_as_long_as_workers_live(cluster, long_run)
    for offset in CLOCKS.values():  # another day if it was midnight meanwhile
        days = datetime.timedelta(days=int(offset.removesuffix("d")))
        shown = [f"{moment + days:%Y-%m-%d}" for moment in (begun, datetime.datetime.now())]
        assert any(day in listened() for day in shown)
    return launchers


def leases_last_as_long_as_workers_live(cluster, run):
    for index in range(2):
        faults.deliver(cluster, run, index, times=1)
    cluster.wait(lambda: len(cluster.running(run, epoch=1)) == 2, "both workers to train")
    leases = cluster.leases(run)
    cluster.wait(  # a lease lasts for 10 epochs, and has been renewed
        lambda: len(cluster.running(run, epoch=12)) == 2, "leases to be renewed"
    )
    assert cluster.leases(run) == leases
    for worker in faults.worker_processes(cluster).values():
        faults.kill(worker)
    cluster.wait(lambda: not cluster.running(run), "the leases to expire")
    for index in range(2):
        faults.deliver(cluster, run, index, times=1)
    cluster.wait_until_ended(run)
    assert not leases.items() & cluster.tokens(run).items()


def a_node_on_which_every_job_fails_charges_nobody(cluster, run):
    sick = cluster.launcher("5", BLOX_SIMULATED_FAILURES="all")
    cluster.wait_for_workers("gpu5")
    cluster.add_jobs(run, 9)
    assert cluster.exit_code(sick) == 1
    assert "3 different jobs in a row failed here alone, the last by SimulatedFailure: " in (
        worker_of(cluster, "gpu5").stopped_reason
    )
