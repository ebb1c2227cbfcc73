"""The store away in the middle of a job: nothing is trained twice for it."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import update

from blox_core import training
from blox_store.errors import StoreError, StoreUnavailable
from blox_store.store import NoClaim, schema
from blox_worker.job.outcome import Ending
from blox_worker.on_disk.outbox import Outbox
from tests.support.job_runs import (
    assert_same_result,
    checkpoint_files,
    execute,
    make_run,
    make_worker,
    stored,
)
from tests.support.tiny import TINY


@pytest.fixture
def away(store, monkeypatch):
    """Makes the store refuse results until the returned event is set."""
    back = threading.Event()
    complete = store.results.complete

    def try_to_complete(*arguments):
        if not back.is_set():
            raise StoreUnavailable("the database is away")
        complete(*arguments)

    monkeypatch.setattr(store.results, "complete", try_to_complete)
    return back


def kept_results(worker):
    return list(worker.settings.checkpoint_dir.glob("*.result"))


def test_a_result_waits_on_disk_for_the_store_to_come_back(store, worker, undisturbed, away):
    run = make_run(store)
    outages = []

    def come_back_at_the_second_try():
        outages.append(kept_results(worker))
        if len(outages) == 2:
            away.set()

    outcome = execute(store, run, worker, on_outage=come_back_at_the_second_try)
    assert outcome.ending is Ending.COMPLETED
    assert [len(kept) for kept in outages] == [0, 1]
    assert checkpoint_files(worker) == []
    assert_same_result(stored(store, run)[0], undisturbed)


def test_a_worker_stopped_in_an_outage_leaves_its_result_for_the_next(
    store, worker, undisturbed, away
):
    run = make_run(store)
    stop = threading.Event()
    outcome = execute(store, run, worker, stop=stop, on_outage=stop.set)
    assert outcome.ending is Ending.KEPT
    assert stored(store, run) == []
    assert len(kept_results(worker)) == 1

    away.set()
    assert execute(store, run, worker) is NoClaim.NOTHING_DUE
    assert checkpoint_files(worker) == []
    assert_same_result(stored(store, run)[0], undisturbed)


def test_a_result_that_the_store_refuses_stays_on_disk(store, worker, undisturbed, monkeypatch):
    def refuse(*arguments):
        raise StoreError("the database refused a statement")

    run = make_run(store)
    with monkeypatch.context() as patch:
        patch.setattr(store.results, "complete", refuse)
        with pytest.raises(StoreError, match="refused a statement"):
            execute(store, run, worker)
    assert len(kept_results(worker)) == 1

    assert execute(store, run, worker) is NoClaim.NOTHING_DUE
    assert checkpoint_files(worker) == []
    assert_same_result(stored(store, run)[0], undisturbed)


def test_a_result_that_fits_neither_store_nor_disk_is_tried_until_it_does(
    store, worker, away, monkeypatch, caplog
):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Outbox, "keep", full)
    run = make_run(store)
    stop = threading.Event()
    outages = []
    outcome = execute(
        store, run, worker, on_outage=lambda: outages.append(1) or (len(outages) > 1 and away.set())
    )
    assert outcome.ending is Ending.COMPLETED
    assert "is in memory only" in caplog.text
    away.clear()
    again = make_run(store, replace(TINY, epochs=1))
    stopped = execute(store, again, worker, stop=stop, on_outage=stop.set)
    assert stopped.ending is Ending.STOPPED  # the lease runs out, and the job is trained again


def test_a_kept_result_whose_job_another_worker_has_is_dropped(store, worker, away):
    run = make_run(store)

    def come_back_too_late():
        (held,) = store.jobs.matching(run.id)
        if held.worker != "another" and kept_results(worker):
            take_over(store, run)
            away.set()

    outcome = execute(store, run, worker, on_outage=come_back_too_late)
    assert outcome.ending is Ending.LEASE_LOST
    assert kept_results(worker) == []
    assert stored(store, run) == []


def take_over(store, run):
    """As if the lease had been reaped and another worker had come."""
    with store._database.write() as connection:
        connection.execute(update(schema.jobs).values(lease_token="0" * 32, worker="another"))


def test_an_outage_during_a_job_is_told_however_the_job_ends(store, tmp_path, monkeypatch):
    def away(*arguments):
        raise StoreUnavailable("the database is away")

    beaten = threading.Event()

    def fail_after_an_outage(*arguments, **options):
        assert beaten.wait(timeout=60)
        raise ValueError("the job's own fault")

    monkeypatch.setattr(training, "train", fail_after_an_outage)
    monkeypatch.setattr(store.jobs, "heartbeat", away)
    worker = make_worker(tmp_path, heartbeat_s=0.05)
    outcome = execute(store, make_run(store), worker, on_outage=beaten.set)
    assert outcome.ending is Ending.RETRIED
