"""What a queue message makes happen, and what ends a worker process."""

import os
import threading
from dataclasses import replace

import pytest
from sqlalchemy import update

from blox_core import training
from blox_core.recipe import preset
from blox_store.errors import StoreError, StoreUnavailable
from blox_store.exit_codes import FAILURE
from blox_store.store import JobState, schema
from blox_worker.processes.lifeline import USELESS, ChildLine, Lifeline
from blox_worker.queue.message import Fate, MessageHandler
from tests.support.job_runs import INDEX, make_run, make_worker
from tests.support.tiny import TINY

ONE_EPOCH = replace(TINY, epochs=1)


@pytest.fixture
def line():
    """The launcher's end of the handler's lifeline."""
    opened = ChildLine()
    yield opened
    opened.close()


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def lifeline(line):
    made = Lifeline(os.dup(line.child_descriptor))
    yield made
    made._socket.close()


@pytest.fixture
def handler(store, worker, stop, lifeline):
    return MessageHandler(store, worker, stop=stop, lifeline=lifeline)


def said(line):
    line.read()
    return line.progress, line.fault


def test_a_message_has_its_job_trained(store, handler, stop, line):
    run = make_run(store, ONE_EPOCH)
    fate, text = handler.handle(run.id, INDEX)
    assert fate is Fate.DONE
    assert text.startswith("val ")
    assert store.jobs.counts(run.id)[JobState.SUCCEEDED] == 1
    assert handler.handle(run.id, INDEX) == (Fate.REFUSED, "the job has ended")
    assert (handler.exit_code, stop.is_set(), said(line)) == (0, False, (1, None))


def test_every_epoch_is_told_in_a_few_words(store, worker, stop, lifeline):
    told = []
    handler = MessageHandler(store, worker, stop=stop, lifeline=lifeline, on_progress=told.append)
    handler.handle(make_run(store, ONE_EPOCH).id, INDEX)
    (text,) = told
    assert text.startswith("epoch 1/1 val ")


def test_messages_without_a_job_are_forgotten(store, handler, stop):
    run = make_run(store)
    assert handler.handle(run.id, 7) == (Fate.REFUSED, "the run has no such job")
    fate, text = handler.handle(99, 7)
    assert (fate, "no run with id 99" in text) == (Fate.REFUSED, True)
    store.runs.set_paused(run.id, True)
    assert handler.handle(run.id, INDEX) == (Fate.REFUSED, "the run is paused")
    assert not stop.is_set()


def test_a_message_that_comes_after_a_stop_goes_back(store, handler, stop):
    stop.set()
    assert handler.handle(make_run(store).id, INDEX) == (Fate.BACK, "stopping")


def test_a_run_of_another_revision_ends_the_process_and_its_message_goes_back(
    store, handler, stop, line
):
    run = store.runs.create(
        dataset="digits",
        recipe=TINY,
        seed=3,
        trainer="torch",
        trainer_revision=99,
        indices=[INDEX],
    ).run
    fate, text = handler.handle(run.id, INDEX)
    assert fate is Fate.BACK
    assert "another trainer or trainer revision; this worker has another version of Blox" in text
    assert (handler.exit_code, stop.is_set(), said(line)) == (USELESS, True, (0, None))
    (shown,) = store.workers.all()
    assert shown.stopped_reason == text


def test_a_fault_of_the_node_ends_the_process(store, handler, stop, line):
    run = make_run(store, replace(preset("cifar10"), epochs=1))
    fate, text = handler.handle(run.id, INDEX)
    assert fate is Fate.BACK
    assert text.startswith("DatasetMissing: ")
    assert (handler.exit_code, stop.is_set()) == (FAILURE, True)
    assert said(line)[1].startswith("DatasetMissing: ")
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts) == (JobState.PENDING, 0)


def test_too_many_failures_in_a_row_end_the_process(store, tmp_path, stop, lifeline, monkeypatch):
    def explode(*arguments, **options):
        raise ZeroDivisionError("at once")

    monkeypatch.setattr(training, "train", explode)
    run = make_run(store, indices=(3, 4))
    worker = make_worker(tmp_path, max_faults_in_a_row=2)
    handler = MessageHandler(store, worker, stop=stop, lifeline=lifeline)
    assert handler.handle(run.id, 3) == (
        Fate.AGAIN,
        "to be tried again: ZeroDivisionError: at once",
    )
    assert not stop.is_set()
    handler.handle(run.id, 4)
    assert (handler.exit_code, stop.is_set()) == (USELESS, True)
    (shown,) = store.workers.all()
    assert "2 different jobs in a row failed here alone" in shown.stopped_reason


def test_a_job_that_is_given_up_is_told_apart(store, tmp_path, stop, lifeline, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *arguments, **options: 1 / 0)
    worker = make_worker(tmp_path, max_attempts=1)
    handler = MessageHandler(store, worker, stop=stop, lifeline=lifeline)
    fate, text = handler.handle(make_run(store).id, INDEX)
    assert (fate, text) == (Fate.FAILED, "failed: ZeroDivisionError: division by zero")


def test_a_stop_while_the_store_is_away_sends_the_message_back(store, handler, stop, monkeypatch):
    def away(*arguments, **options):
        stop.set()
        raise StoreUnavailable("the database is away")

    run = make_run(store)
    monkeypatch.setattr(store.jobs, "claim", away)
    assert handler.handle(run.id, INDEX) == (Fate.BACK, "the database is away")
    assert handler.exit_code == 0


def test_a_run_that_was_restored_as_another_one_is_read_anew(store, handler, stop):
    run = make_run(store, ONE_EPOCH, indices=(INDEX, INDEX + 1))
    handler.handle(run.id, INDEX)
    with store._database.write() as connection:
        connection.execute(update(schema.runs).values(seed=99))
    fate, text = handler.handle(run.id, INDEX + 1)
    assert (fate, text.startswith("val "), stop.is_set()) == (Fate.DONE, True, False)
    assert handler._runs[run.id].seed == 99
    assert store.jobs.counts(run.id)[JobState.SUCCEEDED] == 2


@pytest.fixture
def suspicious(store, tmp_path, stop, lifeline, monkeypatch):
    """A handler that the first failure of a job makes suspect its worker, and a run."""

    def explode(*arguments, **options):
        raise ZeroDivisionError("at once")

    monkeypatch.setattr(training, "train", explode)
    worker = make_worker(tmp_path, max_faults_in_a_row=1)
    return MessageHandler(store, worker, stop=stop, lifeline=lifeline), make_run(store)


@pytest.mark.parametrize(
    ("error", "stops", "text", "exit_code"),
    [
        (StoreError("refused"), False, "StoreError: refused", FAILURE),
        (StoreUnavailable("away"), True, "away", 0),
    ],
)
def test_a_suspicion_that_cannot_be_written_escapes_nobody(
    store, suspicious, stop, monkeypatch, error, stops, text, exit_code
):
    def fail(*arguments):
        if stops:
            stop.set()
        raise error

    handler, run = suspicious
    monkeypatch.setattr(store.workers, "stop", fail)
    assert handler.handle(run.id, INDEX) == (Fate.BACK, text)
    assert (handler.exit_code, stop.is_set()) == (exit_code, True)
