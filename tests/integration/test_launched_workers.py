"""Workers of a launcher that cannot begin: they tell it why, and whether to try again."""

import os
import threading
from dataclasses import replace

import pytest

from blox_core.errors import DatasetMissing
from blox_core.recipe import preset
from blox_store.errors import StoreUnavailable
from blox_store.store import JobState
from blox_worker import patience
from blox_worker.commands.train.worker import _work
from blox_worker.errors import DeviceMissing
from blox_worker.processes.lifeline import USELESS, ChildLine, Lifeline
from blox_worker.worker.session import train_launched
from tests.support.job_runs import make_run, make_worker

LOST_GPU = "cuda:99"


def work(url, folder, lifeline, device="cpu"):
    return _work("w@test", device, lifeline, url)


def train(url, folder, lifeline, device="cpu"):
    worker = replace(make_worker(folder), device=device)
    return train_launched(url, None, worker, lifeline)


@pytest.fixture
def line():
    """The launcher's end of a lifeline."""
    opened = ChildLine()
    yield opened
    opened.close()


@pytest.fixture
def lifeline(line):
    made = Lifeline(os.dup(line.child_descriptor))
    yield made
    made._socket.close()


@pytest.mark.parametrize("begin", [work, train])
def test_a_store_of_another_schema_is_not_tried_again(begin, line, lifeline, sqlite_url, tmp_path):
    assert begin(sqlite_url, tmp_path, lifeline) == USELESS
    line.read()
    assert "holds no Blox store; make one by 'blox init'" in line.fault


@pytest.mark.parametrize("begin", [work, train])
def test_a_gpu_that_is_lost_is_a_fault_of_the_node(
    begin, line, lifeline, store, sqlite_store_url, tmp_path
):
    make_run(store)
    with pytest.raises(DeviceMissing):
        begin(sqlite_store_url, tmp_path, lifeline, device=LOST_GPU)
    line.read()
    assert f"device {LOST_GPU!r}: this machine has cpu" in line.fault
    assert store.jobs.counts(1)[JobState.PENDING] == 1


def test_a_data_set_that_is_missing_is_a_fault_of_the_node(
    line, lifeline, store, sqlite_store_url, tmp_path
):
    run = make_run(store, preset("cifar100"))
    with pytest.raises(DatasetMissing):
        train(sqlite_store_url, tmp_path, lifeline)
    line.read()
    assert line.fault.startswith("DatasetMissing: ")
    assert str(tmp_path) in line.fault
    (job,) = store.jobs.matching(run.id)
    assert (job.state, job.attempts) == (JobState.PENDING, 0)


@pytest.mark.parametrize("begin", [work, train])
def test_the_death_of_the_launcher_ends_the_wait_for_a_store(
    begin, line, lifeline, tmp_path, monkeypatch
):
    asked = threading.Event()

    def away(url):
        asked.set()
        raise StoreUnavailable("away")

    monkeypatch.setattr(patience, "Store", away)

    def die():
        asked.wait()
        line.close()

    threading.Thread(target=die).start()
    assert begin("postgresql://h/d", tmp_path, lifeline) == 0
    assert asked.is_set()
