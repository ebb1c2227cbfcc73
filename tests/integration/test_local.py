"""The local loop, with real trainings."""

import threading
from dataclasses import replace

import pytest

from blox_core import training
from blox_core.result.trainer_revision import TORCH, TRAINER_REVISION
from blox_store.errors import StoreError, StoreUnavailable
from blox_store.store import JobState
from blox_worker.errors import WorkerSuspected
from blox_worker.job.outcome import Ending
from blox_worker.reaper import Reaper
from blox_worker.worker.loop import train_locally
from tests.support.job_runs import (
    assert_same_result,
    claim_for_another,
    make_run,
    make_worker,
    stored,
)
from tests.support.servers import wait_until
from tests.support.store_jobs import make_foreign
from tests.support.tiny import TINY


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
        run,
        worker="dead",
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
    store.jobs.claim(run, worker="w", trainer_revision=TRAINER_REVISION, lease_s=0.01)
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
        ({"paused": True}, "the run is paused; let it go on by 'blox resume --run 1'"),
        ({"id": 99}, "the run has no such job; the store has no such run any more"),
        ({"seed": 99}, "the store has another run of this number; see 'blox status', and run the"),
        ({"revision": 99}, "another trainer or trainer revision; install the version of Blox"),
        ({"recipe": {}}, "another trainer or trainer revision; install the version of Blox"),
    ],
)
def test_a_run_that_cannot_be_trained_here_is_one_clear_line(store, worker, change, message):
    run = make_run(store)
    if "paused" in change:
        store.runs.set_paused(run.id, True)
    elif "recipe" in change:
        run = make_foreign(store, run, TINY.to_dict() | {"warm_up": 5})
    elif "revision" not in change:
        run = replace(run, **change)
    else:
        run = store.runs.create(
            dataset="digits",
            recipe=TINY,
            seed=3,
            trainer=TORCH,
            trainer_revision=change["revision"],
        ).run
    with pytest.raises(StoreError, match=message):
        train_locally(store, run, worker=worker, stop=threading.Event(), audience=Listener())
    assert {job.attempts for job in store.jobs.matching(1)} <= {0}  # none is spoilt


def test_a_worker_on_which_job_after_job_fails_stops_claiming(store, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", explode)
    run = make_run(store, indices=(3, 4, 5, 6))
    worker = make_worker(tmp_path, retry_backoff_s=600)
    with pytest.raises(WorkerSuspected, match="3 different jobs in a row failed here alone"):
        train_locally(store, run, worker=worker, stop=threading.Event(), audience=Listener())
    charged = {job.arch_index: job.attempts for job in store.jobs.matching(run.id)}
    assert charged == {3: 1, 4: 1, 5: 1, 6: 0}  # it is alone: nobody can tell whose fault it is
    (shown,) = store.workers.all()
    assert "the last by ZeroDivisionError: at once" in shown.stopped_reason


def test_a_suspicion_waits_for_a_store_that_is_away(store, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", explode)
    stop_it, tries = store.workers.stop, []

    def stop_at_the_second_try(*arguments):
        tries.append(arguments)
        if len(tries) == 1:
            raise StoreUnavailable("the database is away")
        stop_it(*arguments)

    monkeypatch.setattr(store.workers, "stop", stop_at_the_second_try)
    worker = make_worker(tmp_path, max_faults_in_a_row=1)
    with pytest.raises(WorkerSuspected):
        train_locally(
            store, make_run(store), worker=worker, stop=threading.Event(), audience=Listener()
        )
    assert [worker.stopped_reason is None for worker in store.workers.all()] == [False]


def test_its_jobs_are_cleared_if_another_worker_can_try_them(store, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", explode)
    run = make_run(store, indices=(3, 4, 5, 6))
    store.workers.register("cpu@elsewhere", device="cpu", pid=1, run_id=run.id)
    worker = make_worker(tmp_path, retry_backoff_s=600)
    with pytest.raises(WorkerSuspected):
        train_locally(store, run, worker=worker, stop=threading.Event(), audience=Listener())
    assert {job.attempts for job in store.jobs.matching(run.id)} == {0}
    assert store.jobs.failures(run.id) == {}


def test_its_jobs_are_not_cleared_for_a_worker_of_another_run(store, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", explode)
    run, other = make_run(store, indices=(3, 4, 5)), make_run(store, replace(TINY, epochs=1))
    store.workers.register("cpu@elsewhere", device="cpu", pid=1, run_id=other.id)
    store.workers.register("gpu0@queue", device="cuda", pid=2)  # no scheduler gives it these jobs
    worker = make_worker(tmp_path, retry_backoff_s=600)
    with pytest.raises(WorkerSuspected):
        train_locally(store, run, worker=worker, stop=threading.Event(), audience=Listener())
    assert {job.attempts for job in store.jobs.matching(run.id)} == {1}


def explode(*arguments, **options):
    raise ZeroDivisionError("at once")


def test_the_loop_waits_for_a_store_that_is_away(store, worker, monkeypatch):
    run = make_run(store, replace(TINY, epochs=1))
    reap = store.jobs.reap
    tries = []

    def reap_at_the_second_try(**options):
        tries.append(options)
        if len(tries) == 1:
            raise StoreUnavailable("the database is away")
        return reap(**options)

    monkeypatch.setattr(store.jobs, "reap", reap_at_the_second_try)
    monkeypatch.setattr(Reaper, "wait", lambda self: setattr(self, "_ready_at", 0.0))
    assert train_locally(store, run, worker=worker, stop=threading.Event(), audience=Listener())
    assert len(tries) > 1


def test_a_stop_ends_the_loop_also_while_the_store_is_away(store, worker, monkeypatch):
    stop = threading.Event()

    def away(*arguments, **options):
        stop.set()
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(store.jobs, "claim", away)
    run = make_run(store)
    assert not train_locally(store, run, worker=worker, stop=stop, audience=Listener())
