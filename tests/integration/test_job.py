"""`run_job`, from claim to result: stops, faults and resumption, with real trainings."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update

from blox_core.errors import DatasetMissing
from blox_core.recipe import preset
from blox_core.training import TRAINER_REVISION
from blox_store.errors import StoreError, StoreUnavailable
from blox_store.store import JobState, NoClaim, Store, schema
from blox_worker import job as job_module
from blox_worker.job import TRAINER, Ending, Worker, run_job
from blox_worker.local import Reaper, train_locally
from blox_worker.settings import WorkerSettings
from tests.servers import wait_until
from tests.tiny import TINY

INDEX = 14_321


@pytest.fixture
def store(sqlite_url):
    with Store(sqlite_url, migrate=True) as opened:
        yield opened


@pytest.fixture
def worker(tmp_path):
    return make_worker(tmp_path)


def make_worker(folder: Path, **changed) -> Worker:
    settings = WorkerSettings(
        data_dir=folder,
        checkpoint_dir=folder / "checkpoints",
        **({"checkpoint_every_s": 0, "retry_backoff_s": 0} | changed),
    )
    return Worker(name="cpu@test", device="cpu", settings=settings)


def make_run(store, recipe=TINY, indices=(INDEX,)):
    run, _ = store.runs.create(
        dataset=recipe.dataset,
        recipe=recipe.to_dict(),
        recipe_fingerprint=recipe.fingerprint,
        seed=3,
        trainer=TRAINER,
        trainer_revision=TRAINER_REVISION,
    )
    store.runs.add_jobs(run.id, indices)
    return run


def execute(store, run, worker, *, should_stop=lambda: False, on_epoch=lambda *_: None, index=None):
    return run_job(store, run, index, worker=worker, should_stop=should_stop, on_epoch=on_epoch)


def stored(store, run):
    with store.snapshot() as connection:
        return list(store.results.stream(connection, run.id))


def assert_same_result(left, right):
    for name in ("train_top1", "train_top5", "train_loss", "val_top1", "val_top5", "val_loss"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    for name in ("best_epoch", "test_top1", "test_top5", "test_loss", "status"):
        assert getattr(left, name) == getattr(right, name)


def checkpoint_files(worker):
    return list(worker.settings.checkpoint_dir.iterdir())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The stored result of a job that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Store(f"sqlite:///{folder}/store.db", migrate=True) as store:
        run = make_run(store)
        execute(store, run, make_worker(folder))
        return stored(store, run)[0]


def test_a_job_is_trained_and_its_result_is_stored(database_url, worker):
    with Store(database_url, migrate=True) as store:
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


@pytest.mark.parametrize("stopped_after", [0, 1, 2])
def test_a_stopped_job_goes_on_to_the_undisturbed_result(store, worker, undisturbed, stopped_after):
    run = make_run(store)
    finished = []
    outcome = execute(
        store,
        run,
        worker,
        should_stop=lambda: len(finished) == stopped_after,
        on_epoch=lambda lease, report: finished.append(report.epoch),
    )
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
    bad = worker.settings.checkpoint_dir / f"{TINY.fingerprint[:16]}-s3-a{INDEX}-old.checkpoint"
    bad.write_bytes(b"no checkpoint")
    assert execute(store, run, worker).ending is Ending.COMPLETED
    assert "no intact checkpoint" in caplog.text
    assert_same_result(stored(store, run)[0], undisturbed)


def test_a_failing_job_counts_its_attempts_and_ends_with_its_traceback(
    store, tmp_path, monkeypatch
):
    def explode(*arguments, **options):
        raise ZeroDivisionError("a job's own fault")

    monkeypatch.setattr(job_module, "train", explode)
    worker = make_worker(tmp_path, max_attempts=2)
    run = make_run(store)
    first, second = execute(store, run, worker), execute(store, run, worker)
    assert (first.ending, second.ending) == (Ending.RETRIED, Ending.FAILED)
    assert first.error == "ZeroDivisionError: a job's own fault"
    (job,) = store.jobs.matching(run.id, JobState.FAILED)
    assert job.attempts == 2
    assert "in explode" in job.error
    assert "ZeroDivisionError: a job's own fault" in job.error


def test_a_fault_of_the_node_is_raised_and_counts_for_no_job(store, tmp_path):
    recipe = replace(preset("cifar10"), epochs=1)
    run = make_run(store, recipe)
    with pytest.raises(DatasetMissing):
        execute(store, run, make_worker(tmp_path))
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts, job.error) == (JobState.PENDING, 0, None)


def test_a_result_that_cannot_be_written_is_not_trained_again(
    store, tmp_path, undisturbed, monkeypatch
):
    def unavailable(*arguments):
        raise StoreUnavailable("the database is away")

    worker = make_worker(tmp_path, checkpoint_every_s=600)
    run = make_run(store)
    with monkeypatch.context() as away:
        away.setattr(store.results, "complete", unavailable)
        with pytest.raises(StoreUnavailable):
            execute(store, run, worker)
    epochs = []
    again = execute(store, run, worker, on_epoch=lambda *report: epochs.append(report))
    assert (again.ending, epochs) == (Ending.COMPLETED, [])
    assert_same_result(stored(store, run)[0], undisturbed)


def test_a_folder_that_cannot_be_written_is_the_nodes_fault(store, worker):
    worker.settings.checkpoint_dir.write_text("a file where the folder has to be")
    run = make_run(store)
    with pytest.raises(FileExistsError):
        execute(store, run, worker)
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts) == (JobState.PENDING, 0)


@pytest.fixture
def fail_without_lease(store, monkeypatch):
    """Makes every training lose its lease and then fail in the given way."""

    def arrange(error):
        def train(*arguments, **options):
            with store._database.write() as connection:
                connection.execute(update(schema.jobs).values(lease_token="0" * 32))
            raise error

        monkeypatch.setattr(job_module, "train", train)

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


def test_an_outage_during_a_job_is_seen_however_the_job_ends(store, tmp_path, monkeypatch):
    def away(*arguments):
        raise StoreUnavailable("the database is away")

    beaten = threading.Event()

    def fail_after_a_beat(*arguments, **options):
        assert beaten.wait(timeout=60)
        raise ValueError("the job's own fault")

    monkeypatch.setattr(job_module, "train", fail_after_a_beat)
    monkeypatch.setattr(store.jobs, "heartbeat", lambda *a: (beaten.set(), away()))
    outcome = execute(store, make_run(store), make_worker(tmp_path, heartbeat_s=0.05))
    assert (outcome.ending, outcome.saw_outage) == (Ending.RETRIED, True)


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


def claim_for_another(store, run):
    return store.jobs.claim(
        run.id,
        INDEX,
        worker="another",
        trainer=TRAINER,
        trainer_revision=TRAINER_REVISION,
        lease_s=600,
    )


def test_the_lease_is_renewed_while_an_epoch_lasts_longer_than_it(store, tmp_path):
    worker = make_worker(tmp_path, lease_s=0.4, heartbeat_s=0.1)
    run = make_run(store)

    def outlast_the_lease(lease, report):
        """Stay in this epoch until the lease would have expired twice over without heartbeats."""
        started = lease_end(store)
        wait_until(lambda: lease_end(store) > started + 2 * lease.duration_s, "heartbeats")

    assert execute(store, run, worker, on_epoch=outlast_the_lease).ending is Ending.COMPLETED


def lease_end(store):
    """When the only lease ends, by the database's clock."""
    with store.snapshot() as connection:
        return connection.execute(select(schema.jobs.c.lease_until_s)).scalar_one()


class Listener:
    """Hears what the local loop has to say."""

    def __init__(self):
        self.outcomes = []
        self.waits = []

    def epoch_ended(self, lease, report):
        """Ignore epochs."""

    def job_ended(self, outcome):
        """Keep the outcome."""
        self.outcomes.append(outcome)

    def waiting(self, running, pending):
        """Keep what is waited for."""
        self.waits.append((running, pending))


def test_the_loop_trains_all_jobs_in_order(store, worker):
    run = make_run(store, replace(TINY, epochs=1), indices=(5, 3, 4))
    listener = Listener()
    assert train_locally(store, run, worker=worker, stop=threading.Event(), audience=listener)
    assert [outcome.arch_index for outcome in listener.outcomes] == [3, 4, 5]
    assert store.jobs.counts(run.id)[JobState.SUCCEEDED] == 3
    assert listener.waits == []


def test_the_loop_takes_over_the_job_of_a_worker_that_died(store, tmp_path, undisturbed):
    run = make_run(store)
    store.jobs.claim(
        run.id,
        worker="dead",
        trainer=TRAINER,
        trainer_revision=TRAINER_REVISION,
        lease_s=0.01,
    )
    listener = Listener()
    worker = make_worker(tmp_path, lease_s=0.5, heartbeat_s=0.2)
    assert train_locally(store, run, worker=worker, stop=threading.Event(), audience=listener)
    assert listener.waits[0] == (1, 0)
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
    assert_same_result(stored(store, run)[0], undisturbed)


def test_the_reaper_lets_a_lease_pass_after_a_start_and_after_an_outage(store):
    run = make_run(store)
    store.jobs.claim(
        run.id, worker="w", trainer=TRAINER, trainer_revision=TRAINER_REVISION, lease_s=0.01
    )
    (held,) = store.jobs.matching(run.id)
    wait_until(lambda: store.jobs.matching(run.id)[0].lease_left_s < 0, "the lease to expire")
    Reaper(store, lease_s=600, max_attempts=3).reap()
    reaper = Reaper(store, lease_s=0, max_attempts=3)
    reaper._lease_s = 600
    reaper.wait()
    reaper.reap()
    assert store.jobs.matching(run.id)[0].state is held.state is JobState.RUNNING
    Reaper(store, lease_s=0, max_attempts=3).reap()
    assert store.jobs.matching(run.id)[0].state is JobState.PENDING


def test_the_loop_stops_when_asked(store, worker):
    run = make_run(store)
    stop = threading.Event()
    listener = Listener()
    listener.epoch_ended = lambda lease, report: stop.set()
    assert not train_locally(store, run, worker=worker, stop=stop, audience=listener)
    assert [outcome.ending for outcome in listener.outcomes] == [Ending.STOPPED]
    assert store.jobs.counts(run.id)[JobState.PENDING] == 1


def test_the_loop_stops_while_it_waits(store, worker):
    run = make_run(store)
    claim_for_another(store, run)
    stop = threading.Event()
    listener = Listener()
    loop = threading.Thread(
        target=train_locally,
        args=(store, run),
        kwargs={"worker": worker, "stop": stop, "audience": listener},
    )
    loop.start()
    wait_until(lambda: bool(listener.waits), "the loop to wait")
    stop.set()
    loop.join(timeout=30)
    assert not loop.is_alive()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paused": True}, "the run is paused; wait until it goes on"),
        ({"id": 99}, "the run has no such job; the store has no such run any more"),
        ({"revision": 99}, "another trainer or trainer revision; install the version of Blox"),
    ],
)
def test_a_run_that_cannot_be_trained_here_is_one_clear_line(store, worker, change, message):
    run = make_run(store)
    if "paused" in change:
        store.runs.set_paused(run.id, True)
    elif "id" in change:
        run = replace(run, **change)
    else:
        run, _ = store.runs.create(
            dataset="digits",
            recipe=TINY.to_dict(),
            recipe_fingerprint=TINY.fingerprint,
            seed=3,
            trainer=TRAINER,
            trainer_revision=change["revision"],
        )
    with pytest.raises(StoreError, match=message):
        train_locally(store, run, worker=worker, stop=threading.Event(), audience=Listener())
