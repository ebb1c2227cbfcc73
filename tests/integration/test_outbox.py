"""Results that wait on disk for their store."""

import json
from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from blox_core.result.metrics import Score
from blox_store.errors import StoreError, StoreUnavailable
from blox_store.store import JobState, Store
from blox_worker.on_disk.checkpoints import checkpoint_path
from blox_worker.on_disk.outbox import Outbox
from tests.support.job_runs import stored
from tests.support.results import claimed, made_up_result, made_up_run


@pytest.fixture
def run(store):
    return made_up_run(store, indices=(3, 4))


@pytest.fixture
def outbox(tmp_path, store):
    return Outbox(tmp_path, store)


def files(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("store.db"))


def test_a_kept_result_is_written_as_it_was(tmp_path, store, run, outbox):
    result = made_up_result(3, train_loss=np.array([nan, inf, 1 / 3]))
    lease = claimed(store, run, 3)
    checkpoint_path(tmp_path, store.id, replace(lease, token="old")).write_bytes(
        b"of an earlier lease"
    )
    outbox.keep(lease, result)
    assert outbox.flush() == 1
    assert files(tmp_path) == []
    (row,) = stored(store, run)
    np.testing.assert_array_equal(row.train_loss, np.round(result.curves.train_loss, 6))
    assert row.test_loss == round(result.test.loss, 6)
    assert (row.lease_token, row.train_time_s) == (lease.token, result.train_time_s)


def test_a_diverged_result_without_epochs_is_kept_too(store, run, outbox):
    result = made_up_result(0, status="diverged", test=None)
    outbox.keep(claimed(store, run, 3), result)
    assert outbox.flush() == 1
    assert store.jobs.counts(run.id)[JobState.DIVERGED] == 1


def test_a_test_loss_that_is_no_number_is_kept(store, run, outbox):
    outbox.keep(claimed(store, run, 3), made_up_result(1, test=Score(top1=1, top5=2, loss=nan)))
    outbox.flush()
    assert np.isnan(stored(store, run)[0].test_loss)


def test_a_result_that_was_written_before_is_no_second_one(tmp_path, store, run, outbox):
    lease, result = claimed(store, run, 3), made_up_result()
    store.results.complete(lease, result)
    outbox.keep(lease, result)
    assert outbox.flush() == 1
    assert len(stored(store, run)) == 1
    assert files(tmp_path) == []


def test_a_result_that_is_not_wanted_any_more_is_dropped(tmp_path, store, run, outbox, caplog):
    late, result = claimed(store, run, 3), made_up_result()
    outbox.keep(late, result)
    store.jobs.release(late, 0)
    store.results.complete(claimed(store, run, 3), result)
    checkpoint_path(tmp_path, store.id, late).write_bytes(b"written after that")
    assert outbox.flush() == 0
    assert "is not wanted" in caplog.text
    assert files(tmp_path) == []


def test_a_result_that_the_store_refuses_holds_up_no_other(
    tmp_path, store, run, outbox, monkeypatch, caplog
):
    for index in (3, 4):
        outbox.keep(claimed(store, run, index), made_up_result())
    complete = store.results.complete

    def refuse_one(lease, result):
        if lease.arch_index == 3:
            raise StoreError("refused a statement: out of range")
        complete(lease, result)

    monkeypatch.setattr(store.results, "complete", refuse_one)
    assert outbox.flush() == 1
    (kept,) = files(tmp_path)
    assert f"kept result {kept} cannot be written: refused a statement: out of range" in caplog.text


def test_results_of_another_store_are_left_alone(tmp_path, store, run, outbox):
    with Store(f"sqlite:///{tmp_path}/store.db-other", migrate=True) as other:
        lease = claimed(other, made_up_run(other, indices=(3,)), 3)
        path = Outbox(tmp_path, other).keep(lease, made_up_result())
    assert outbox.flush() == 0
    assert path.exists()
    assert stored(store, run) == []


def test_results_stay_on_disk_while_the_store_is_away(tmp_path, store, run, outbox, monkeypatch):
    def away(*arguments):
        raise StoreUnavailable("the database is away")

    path = outbox.keep(claimed(store, run, 3), made_up_result())
    monkeypatch.setattr(store.results, "complete", away)
    with pytest.raises(StoreUnavailable):
        outbox.flush()
    assert path.exists()


@pytest.mark.parametrize("damage", ["cut", "not JSON", "no lease", "a list", "another format"])
def test_a_file_that_cannot_be_read_is_reported_and_put_aside(
    tmp_path, store, run, outbox, caplog, damage
):
    path = outbox.keep(claimed(store, run, 3), made_up_result())
    content = json.loads(path.read_bytes())
    path.write_text(
        {
            "cut": json.dumps(content)[:100],
            "not JSON": "no JSON",
            "no lease": json.dumps({**content, "lease": {}}),
            "a list": "[1]",
            "another format": json.dumps({**content, "format": "blox result 2"}),
        }[damage]
    )
    outbox.keep(replace(claimed(store, run, 4), worker="w"), made_up_result())
    assert outbox.flush() == 1
    assert "cannot be read" in caplog.text
    assert files(tmp_path) == [path.with_suffix(".unreadable").name]


def test_a_folder_that_is_not_there_holds_no_results(tmp_path, store):
    assert Outbox(tmp_path / "none", store).flush() == 0
