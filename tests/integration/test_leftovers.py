"""What dead workers have left is cleared when a worker starts or ends, and nothing else is."""

import os
import threading

import pytest

from blox_store.errors import StoreError, StoreUnavailable
from blox_store.exit_codes import FAILURE
from blox_store.store import Store
from blox_worker.on_disk.checkpoints import checkpoint_path
from blox_worker.on_disk.outbox import Outbox, clear_leftovers
from blox_worker.processes.lifeline import ChildLine, Lifeline
from blox_worker.queue.message import MessageHandler
from blox_worker.worker.loop import train_locally
from tests.support.job_runs import checkpoint_files, make_run
from tests.support.results import claimed, made_up_result


@pytest.fixture
def folder(worker):
    worker.settings.checkpoint_dir.mkdir()
    return worker.settings.checkpoint_dir


def left_behind(folder, store, lease):
    """Leave what a worker leaves that is killed after it wrote a result, and while it saved."""
    path = checkpoint_path(folder, store.id, lease)
    half = path.with_name(f".{path.name}.0badcafe.tmp")
    for left in (path, half):
        left.write_bytes(b"left behind")
    return {path, half}


def trained(store, run, index):
    lease = claimed(store, run, index)
    store.results.complete(lease, made_up_result())
    return lease


def test_only_the_files_of_trained_jobs_of_the_store_are_deleted(store, worker, folder, tmp_path):
    run = make_run(store, indices=range(4))
    left_behind(folder, store, trained(store, run, 0))
    kept = left_behind(folder, store, claimed(store, run, 1))
    failed = claimed(store, run, 2)
    store.jobs.fail(failed, "boom", kind="Boom", max_attempts=1, backoff_s=0)
    kept |= left_behind(folder, store, failed)  # a retry may go on from it
    with Store(f"sqlite:///{tmp_path}/other.db", migrate=True) as other:
        kept |= left_behind(folder, other, claimed(other, make_run(other, indices=[0]), 0))
    clear_leftovers(folder, store)
    assert set(checkpoint_files(worker)) == kept


def test_results_among_many_jobs_are_found(store):
    run = make_run(store, indices=range(1200))
    for index in (3, 1100):
        trained(store, run, index)
    assert store.results.among([(run.id, index) for index in range(1200)]) == [
        (run.id, 3),
        (run.id, 1100),
    ]
    assert store.results.among([(run.id + 1, 3)]) == store.results.among([]) == []


class Audience:
    """Leaves something behind in the first epoch, once what there was has been cleared."""

    def __init__(self, leave):
        self._leave = leave
        self.left = None

    def epoch_ended(self, lease, report):
        """Leave something."""
        if self.left is None:
            self.left = self._leave()

    def job_ended(self, outcome):
        """Ignore it."""

    def waiting(self, running, pending):
        """Ignore it."""


@pytest.mark.parametrize("stops", [False, True])
def test_the_local_loop_clears_at_its_start_and_its_end(store, worker, folder, stops):
    run = make_run(store, indices=(0, 1, 2))
    before = left_behind(folder, store, trained(store, run, 0))
    stop = threading.Event()

    def leave():
        assert not before & set(checkpoint_files(worker))
        if stops:
            stop.set()
        return left_behind(folder, store, trained(store, run, 2))

    audience = Audience(leave)
    ended = train_locally(store, run, worker=worker, stop=stop, audience=audience)
    assert ended is not stops
    assert not audience.left & set(checkpoint_files(worker))


@pytest.fixture
def lifeline():
    line = ChildLine()
    made = Lifeline(os.dup(line.child_descriptor))
    yield made
    made.close()
    line.close()


@pytest.mark.parametrize(
    ("error", "stops", "exit_code"),
    [
        (StoreUnavailable("away"), True, 0),
        (StoreError("refused"), False, FAILURE),
        (PermissionError("no"), False, FAILURE),
    ],
)
def test_a_folder_that_cannot_be_cleared_is_the_nodes_fault(
    store, worker, lifeline, monkeypatch, error, stops, exit_code
):
    def fail(*arguments):
        raise error

    stop = threading.Event()
    if stops:
        stop.set()
    handler = MessageHandler(store, worker, stop=stop, lifeline=lifeline)
    monkeypatch.setattr(Outbox, "flush", fail)
    handler.clear_leftovers()
    assert (handler.exit_code, stop.is_set()) == (exit_code, True)
