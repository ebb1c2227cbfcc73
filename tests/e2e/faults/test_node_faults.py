"""Nodes that are not as they should be: they stop claiming, say why, and cost no job anything."""

import datetime

import pytest

from blox_store.store import JobState
from tests.support import faults

EPOCHS = 25


def worker_of(cluster, name):
    """Return a worker as the store has it, by the first part of its name."""
    (found,) = [worker for worker in cluster.store.workers.all() if worker.name.startswith(name)]
    return found


def folder_on_full_disk(cluster):
    folder = cluster.folder / "full"
    return folder, faults.on_full_disk(folder)


def folder_below_a_file(cluster):
    file = cluster.folder / "file"
    file.touch()
    return file / "checkpoints", []


@pytest.mark.parametrize(
    ("bad_folder", "reason"),
    [(folder_on_full_disk, "No space left on device"), (folder_below_a_file, "Not a directory")],
    ids=["full disk", "no folder"],
)
def test_a_node_that_cannot_write_checkpoints_is_given_up(cluster, bad_folder, reason):
    folder, prefix = bad_folder(cluster)
    run = cluster.make_run()
    cluster.scheduler(run)
    sick = cluster.launcher(
        "0",
        prefix=prefix,
        BLOX_CHECKPOINT_DIR=str(folder),
        BLOX_MAX_FAULTS_IN_A_ROW="2",
    )
    assert cluster.exit_code(sick) == 1
    stopped = worker_of(cluster, "gpu0").stopped_reason
    assert "ended 2 times in a row" in stopped
    assert reason in stopped
    assert f"is given up: {stopped}" in cluster.printed()
    cluster.launcher("1")
    cluster.finish(run)


@pytest.mark.parametrize("spoil", [faults.truncate_checkpoints, faults.corrupt_checkpoints])
def test_a_spoilt_checkpoint_is_reported_and_its_job_starts_over(cluster, spoil):
    run = cluster.make_run(2, epochs=EPOCHS)
    cluster.scheduler(run)
    launcher = cluster.launcher()
    index = cluster.wait_for_epoch(run, 3).arch_index
    faults.ask_to_stop(launcher)
    assert cluster.exit_code(launcher) == 0
    assert spoil(cluster) == 1
    cluster.launcher()
    cluster.wait(
        lambda: cluster.job(run, index).epoch < 3 and bool(cluster.running(run)),
        "the job to start over",
    )
    assert "no intact checkpoint; start without it" in cluster.printed()
    cluster.finish(run)


def test_a_node_on_which_every_job_fails_stops_claiming_and_charges_nobody(cluster):
    run = cluster.make_run(8)
    healthy = cluster.launcher("1")
    sick = cluster.launcher("0", BLOX_SIMULATED_FAILURES="all")
    cluster.wait_for_workers("gpu0", "gpu1")
    cluster.scheduler(run)
    assert cluster.exit_code(sick) == 1
    assert "3 different jobs in a row failed here alone, the last by SimulatedFailure: " in (
        worker_of(cluster, "gpu0").stopped_reason
    )
    assert healthy.poll() is None
    assert worker_of(cluster, "gpu1").stopped_reason is None
    cluster.finish(run)


@pytest.mark.parametrize("offset", ["+1d", "-1d"])
def test_a_clock_that_is_a_day_off_changes_nothing(cluster, offset):
    days = datetime.timedelta(days=int(offset.removesuffix("d")))
    begun = datetime.datetime.now() + days  # logs are in local time
    run = cluster.make_run(1, epochs=60)
    cluster.scheduler(run)
    cluster.launcher("0", **faults.wrong_clock(offset))
    worker = cluster.wait_for_epoch(run, 1).worker
    lease = cluster.leases(run)
    cluster.wait_for_epoch(run, 35)  # a lease lasts for 30 epochs, and has been renewed
    assert cluster.leases(run) == lease
    faults.kill(faults.process_of(cluster, worker))
    cluster.finish(run)
    assert cluster.tokens(run) != lease
    ended = datetime.datetime.now() + days  # another day if it was midnight meanwhile
    assert any(f"{there:%Y-%m-%d}" in cluster.printed() for there in (begun, ended))


def test_a_worker_of_another_trainer_revision_takes_no_job(cluster):
    run = cluster.make_run()
    cluster.scheduler(run)
    other = cluster.launcher("0", **faults.other_revision(cluster.folder / "other", 2))
    assert cluster.exit_code(other) == 1
    stopped = worker_of(cluster, "gpu0").stopped_reason
    assert stopped.startswith(f"{run}: ")
    assert "another version of Blox" in stopped
    assert {cluster.job(run, index).state for index in range(4)} == {JobState.QUEUED}
    cluster.wait(lambda: cluster.broker().waiting() == 4, "its message to be back in the queue")
    cluster.launcher("1")
    cluster.finish(run)
