"""`run_job`, from claim to result: stops, faults and resumption, with real trainings."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import select, update

from blox_core import training
from blox_core.checkpoint.checkpoint import Checkpoint
from blox_core.errors import DatasetMissing, TrainingStopped
from blox_core.recipe import preset
from blox_store.store import JobState, NoClaim, Store, schema
from blox_worker.job.outcome import Ending
from blox_worker.on_disk.checkpoints import job_stem
from tests.support.job_runs import (
    INDEX,
    assert_same_result,
    checkpoint_files,
    claim_for_another,
    execute,
    make_run,
    make_worker,
    stored,
)
from tests.support.results import made_up_result
from tests.support.servers import wait_until
from tests.support.tiny import TINY

SAVE = Checkpoint.save


def test_a_job_is_trained_and_its_result_is_stored(store_url, worker):
    with Store(store_url) as store:
        run = make_run(store)
        epochs = []
        outcome = execute(
            store, run, worker, on_epoch=lambda lease, report: epochs.append(report.epoch)
        )
        assert (outcome.ending, outcome.arch_index) == (Ending.COMPLETED, INDEX)
        assert epochs == [1, 2, 3]
        (row,) = stored(store, run)
        curves = outcome.result.curves
        np.testing.assert_array_equal(row.val_top1, curves.val_top1)
        np.testing.assert_array_equal(row.train_loss, [round(x, 6) for x in curves.train_loss])
        assert row.test_top1 == outcome.result.test.top1
        assert row.worker == "cpu@test"
        assert checkpoint_files(worker) == []
        assert execute(store, run, worker) is NoClaim.NOTHING_DUE
        assert execute(store, run, worker, index=INDEX) is NoClaim.ENDED


def test_a_training_that_diverges_is_kept_and_not_repeated(store, worker):
    run = make_run(store, replace(TINY, lr=1e30))
    assert execute(store, run, worker).ending is Ending.COMPLETED
    (job,), (row,) = store.jobs.matching(run.id), stored(store, run)
    assert (job.state, job.attempts) == (JobState.DIVERGED, 0)
    assert row.status == "diverged"
    assert len(row.train_loss) < TINY.epochs
    assert checkpoint_files(worker) == []
    assert execute(store, run, worker) is NoClaim.NOTHING_DUE
    assert execute(store, run, worker, index=INDEX) is NoClaim.ENDED


@pytest.mark.parametrize("stopped_after", [0, 1, 2])
def test_a_stopped_job_goes_on_to_the_undisturbed_result(store, worker, undisturbed, stopped_after):
    run = make_run(store)
    stop = threading.Event()

    def stop_after_some(lease, report):
        if report.epoch == stopped_after:
            stop.set()

    if not stopped_after:
        stop.set()
    outcome = execute(store, run, worker, stop=stop, on_epoch=stop_after_some)
    assert outcome.ending is Ending.STOPPED
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.epoch, job.attempts) == (JobState.PENDING, stopped_after, 0)
    assert len(checkpoint_files(worker)) == bool(stopped_after)

    resumed = []
    outcome = execute(
        store, run, worker, on_epoch=lambda lease, report: resumed.append(report.epoch)
    )
    assert outcome.ending is Ending.COMPLETED
    assert resumed == list(range(stopped_after + 1, TINY.epochs + 1))
    assert_same_result(stored(store, run)[0], undisturbed)
    assert checkpoint_files(worker) == []


def test_a_corrupt_checkpoint_is_reported_and_passed_over(store, worker, undisturbed, caplog):
    run = make_run(store)
    worker.settings.checkpoint_dir.mkdir()
    bad = worker.settings.checkpoint_dir / f"{job_stem(store.id, run.id, INDEX)}-old.checkpoint"
    bad.write_bytes(b"no checkpoint")
    assert execute(store, run, worker).ending is Ending.COMPLETED
    assert "no intact checkpoint" in caplog.text
    assert_same_result(stored(store, run)[0], undisturbed)


def test_a_failing_job_counts_its_attempts_and_ends_with_its_traceback(
    store, tmp_path, monkeypatch
):
    def explode(*arguments, **options):
        raise ZeroDivisionError("a job's own fault")

    monkeypatch.setattr(training, "train", explode)
    worker = make_worker(tmp_path, max_attempts=2)
    run = make_run(store)
    first, second = execute(store, run, worker), execute(store, run, worker)
    assert (first.ending, second.ending) == (Ending.RETRIED, Ending.FAILED)
    assert first.error == "ZeroDivisionError: a job's own fault"
    (job,) = store.jobs.matching(run.id, JobState.FAILED)
    assert job.attempts == 2
    assert "in explode" in job.error
    assert "ZeroDivisionError: a job's own fault" in job.error


def test_each_failed_attempt_doubles_the_pause(store, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *arguments, **options: 1 / 0)
    worker = make_worker(tmp_path, retry_backoff_s=600)
    run = make_run(store)
    for pause_s in (600, 1200):
        assert execute(store, run, worker).ending is Ending.RETRIED
        (job,) = store.jobs.matching(run.id)
        assert pause_s - 300 < job.due_in_s <= pause_s
        with store._database.write() as connection:  # as if the pause were over
            connection.execute(update(schema.jobs).values(not_before_s=0))


def test_a_fault_of_the_node_is_raised_and_counts_for_no_job(store, tmp_path):
    recipe = replace(preset("cifar10"), epochs=1)
    run = make_run(store, recipe)
    with pytest.raises(DatasetMissing):
        execute(store, run, make_worker(tmp_path, retry_backoff_s=600))
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts, job.error) == (JobState.PENDING, 0, None)
    assert 300 < job.due_in_s <= 600  # others take theirs first, and another worker may have it


def test_a_folder_that_cannot_be_written_is_the_nodes_fault(store, worker):
    worker.settings.checkpoint_dir.write_text("a file where the folder has to be")
    run = make_run(store)
    with pytest.raises(FileExistsError):
        execute(store, run, worker)
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts) == (JobState.PENDING, 0)


@pytest.fixture
def full_disk_at(monkeypatch):
    """Makes the disk full when the checkpoint after an epoch is written."""

    def arrange(epoch):
        def save(checkpoint, path):
            if checkpoint.epoch == epoch:
                raise OSError(28, "No space left on device")
            SAVE(checkpoint, path)

        monkeypatch.setattr(Checkpoint, "save", save)

    return arrange


def test_a_full_disk_is_the_nodes_fault_after_the_next_epoch(store, worker, full_disk_at, caplog):
    full_disk_at(1)
    run = make_run(store)
    epochs = []

    def let_it_fail(lease, report):
        epochs.append(report.epoch)
        wait_until(lambda: "No space left on device" in caplog.text, "the failure")

    with pytest.raises(OSError, match="No space left on device"):
        execute(store, run, worker, on_epoch=let_it_fail)
    assert epochs == [1]
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts) == (JobState.PENDING, 0)
    assert checkpoint_files(worker) == []


def test_a_disk_that_is_full_after_the_last_epoch_but_one_costs_no_result(
    store, worker, undisturbed, full_disk_at, caplog
):
    full_disk_at(2)
    run = make_run(store)

    def let_it_fail(lease, report):
        if report.epoch == 2:
            wait_until(lambda: "No space left on device" in caplog.text, "the failure")

    with pytest.raises(OSError, match="No space left on device"):
        execute(store, run, worker, on_epoch=let_it_fail)
    assert_same_result(stored(store, run)[0], undisturbed)
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 0)
    assert checkpoint_files(worker) == []


def test_a_stop_while_a_checkpoint_is_written_leaves_it_whole(
    store, worker, undisturbed, monkeypatch
):
    run = make_run(store)
    stop = threading.Event()

    def save(checkpoint, path):
        assert stop.wait(60)
        SAVE(checkpoint, path)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", save)
        outcome = execute(store, run, worker, stop=stop, on_epoch=lambda *_: stop.set())
    assert outcome.ending is Ending.STOPPED
    assert len(written(worker)) == len(checkpoint_files(worker)) == 1
    resumed = []
    execute(store, run, worker, on_epoch=lambda lease, report: resumed.append(report.epoch))
    assert resumed == [2, 3]
    assert_same_result(stored(store, run)[0], undisturbed)


def test_no_checkpoint_is_begun_once_the_lease_is_lost(store, tmp_path, monkeypatch):
    worker = make_worker(tmp_path, lease_s=0.1, heartbeat_s=0.05)
    run = make_run(store)

    def train(*arguments, on_epoch, should_stop, **options):
        with store._database.write() as connection:
            connection.execute(update(schema.jobs).values(lease_token="0" * 32))
        wait_until(should_stop, "the heartbeat to notice")
        on_epoch(SimpleNamespace(epoch=1, epochs=3, checkpoint=lambda: pytest.fail("asked for")))
        raise TrainingStopped("stopped", None)

    monkeypatch.setattr(training, "train", train)
    assert execute(store, run, worker).ending is Ending.LEASE_LOST
    assert checkpoint_files(worker) == []


@pytest.fixture
def fail_without_lease(store, monkeypatch):
    """Makes every training lose its lease and then fail in the given way."""

    def arrange(error):
        def train(*arguments, **options):
            with store._database.write() as connection:
                connection.execute(update(schema.jobs).values(lease_token="0" * 32))
            raise error

        monkeypatch.setattr(training, "train", train)

    return arrange


def test_a_fault_of_the_node_is_what_is_seen_when_the_lease_is_lost_too(
    store, worker, fail_without_lease
):
    fail_without_lease(OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left on device"):
        execute(store, make_run(store), worker)


def test_a_failure_after_the_lease_was_lost_counts_for_nothing(store, worker, fail_without_lease):
    fail_without_lease(ValueError("late"))
    run = make_run(store)
    assert execute(store, run, worker).ending is Ending.LEASE_LOST
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts) == (JobState.RUNNING, 0)


def test_a_worker_whose_lease_was_taken_over_writes_nothing(store, tmp_path):
    worker = make_worker(tmp_path, lease_s=0.1, heartbeat_s=0.05)
    run = make_run(store)
    taken_over = []

    def lose_the_lease(lease, report):
        """As if this process had been frozen: the lease runs out and another worker takes it."""
        if not taken_over:
            store.jobs.release(lease, report.epoch)
            taken_over.append(claim_for_another(store, run))

    outcome = execute(store, run, worker, on_epoch=lose_the_lease)
    assert outcome.ending is Ending.LEASE_LOST
    assert stored(store, run) == []
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.worker) == (JobState.RUNNING, "another")


def test_what_was_written_after_the_job_had_ended_elsewhere_does_not_stay(store, worker):
    run = make_run(store)

    def be_late(lease, report):
        """As if this process had been frozen until another worker was done with the job."""
        if report.epoch == 1:
            store.jobs.release(lease, report.epoch)
            store.results.complete(claim_for_another(store, run), made_up_result())
            wait_until(lambda: written(worker), "a checkpoint")

    assert execute(store, run, worker, on_epoch=be_late).ending is Ending.LEASE_LOST
    assert checkpoint_files(worker) == []
    assert [row.worker for row in stored(store, run)] == ["another"]


def test_the_lease_is_renewed_while_an_epoch_lasts_longer_than_it(store, tmp_path):
    worker = make_worker(tmp_path, lease_s=0.4, heartbeat_s=0.1)
    run = make_run(store)

    def outlast_the_lease(lease, report):
        """Stay in this epoch until the lease would have expired twice over without heartbeats."""
        started = lease_end(store)
        wait_until(lambda: lease_end(store) > started + 2 * lease.duration_s, "heartbeats")

    assert execute(store, run, worker, on_epoch=outlast_the_lease).ending is Ending.COMPLETED


def written(worker):
    """The checkpoints that are complete."""
    return list(worker.settings.checkpoint_dir.glob("*.checkpoint"))


def lease_end(store):
    """When the only lease ends, by the database's clock."""
    with store._database.read() as connection:
        return connection.execute(select(schema.jobs.c.lease_until_s)).scalar_one()
