"""What the log says of the jobs of a worker, in words and in fields."""

import logging
import threading
from dataclasses import replace

import pytest

from blox_core.errors import DatasetMissing
from blox_core.recipe import preset
from blox_worker.job_log import log_refusal
from tests.support.job_runs import INDEX, execute, make_run, make_worker


@pytest.fixture
def told(caplog):
    """Return the events that were logged, without what they say of job and worker."""
    caplog.set_level(logging.INFO, "blox_worker")

    def events():
        records = [record for record in caplog.records if hasattr(record, "event")]
        for record in records:
            assert (record.run, record.index, record.worker) == (1, INDEX, "cpu@test")
            assert record.attempt == 1
        which = f"run 1 a{INDEX} attempt 1 on cpu@test: "
        assert all(record.getMessage().startswith(which + record.event) for record in records)
        return [record.getMessage().removeprefix(which) for record in records]

    return events


def test_a_job_is_taken_and_finished(store, worker, told):
    execute(store, make_run(store), worker)
    taken, finished = told()
    assert taken == "taken"
    assert finished.startswith("finished: val ")


def test_a_job_that_was_stopped_is_given_back_and_goes_on(store, worker, told):
    run, stop = make_run(store), threading.Event()
    execute(store, run, worker, stop=stop, on_epoch=lambda lease, report: stop.set())
    assert told() == ["taken", "given back: stopped"]
    execute(store, run, worker)
    assert told()[2] == "taken: goes on after epoch 1"


def test_a_fault_of_the_node_gives_the_job_back_in_one_line(store, tmp_path, told, caplog):
    run = make_run(store, replace(preset("cifar10"), epochs=1))
    with pytest.raises(DatasetMissing):
        execute(store, run, make_worker(tmp_path))
    taken, given_back = told()
    assert taken == "taken"
    assert given_back.startswith("given back: fault of the node: DatasetMissing: ")
    assert "\n" not in given_back
    assert caplog.records[-1].levelno == logging.WARNING


def test_who_got_no_job_has_made_no_attempt(caplog):
    caplog.set_level(logging.INFO, "blox_worker")
    log_refusal(1, 77, "gpu0@here", "paused")
    (record,) = caplog.records
    assert record.getMessage() == "run 1 a00077 on gpu0@here: not taken: paused"
    assert not hasattr(record, "attempt")
