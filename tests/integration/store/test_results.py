"""The contract of results, on every database."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select

from blox_core.space import SPACE_SIZE
from blox_store.errors import LeaseLost, StoreError
from blox_store.store import JobState, Selection, schema
from tests.support.results import ENVIRONMENT, TEST_SCORE, made_up_result
from tests.support.store_jobs import SHORT_S, at_once, claim, expire, job, make_run, stored


def environments(store):
    """The strings of every environment by its id."""
    with store._database.read() as connection:
        rows = connection.execute(select(schema.environments))
        return {row.id: row.strings for row in rows}


def test_a_result_comes_back_as_it_was_written(store, run):
    store.results.complete(claim(store, run, 5), made_up_result())
    lease = claim(store, run, 3)
    store.results.complete(lease, made_up_result())
    first, second = stored(store, run)
    assert (first.arch_index, second.arch_index) == (3, 5)
    assert (first.status, first.worker, first.lease_token) == ("succeeded", "w0@here", lease.token)
    assert first.train_top1.tolist() == [10, 20]
    assert first.train_top5.tolist() == [11, 22]
    assert first.val_top1.tolist() == [2, 4]
    assert first.val_top5.tolist() == [3, 6]
    assert first.train_loss.tolist() == [0.333333, 0.666667]
    assert first.val_loss.tolist() == [0.142857, 0.285714]
    assert (first.test_top1, first.test_top5, first.test_loss) == (60, 90, 0.123457)
    assert (first.best_epoch, first.train_time_s) == (2, 12.25)
    assert first.environment_id == second.environment_id
    assert environments(store) == {first.environment_id: ENVIRONMENT}
    selection = Selection(run=run, statuses=("succeeded",), indices=range(SPACE_SIZE))
    with store.snapshot() as snapshot:
        ((indices, found),) = snapshot.environments(selection)
    assert (indices.tolist(), found) == ([3, 5], [ENVIRONMENT, ENVIRONMENT])
    ended = job(store, run, 3)
    assert (ended.state, ended.epoch, ended.error) == (JobState.SUCCEEDED, 2, None)
    assert store.jobs.counts(run.id) == dict.fromkeys(JobState, 0) | {
        JobState.SUCCEEDED: 2,
        JobState.PENDING: 1,
    }


def test_a_diverged_result_keeps_its_losses(store, run):
    bad = made_up_result(
        status="diverged",
        train_loss=np.array([1e9, np.nan]),
        val_loss=np.array([np.inf, 3.0]),
        test=replace(TEST_SCORE, loss=np.nan),
    )
    store.results.complete(claim(store, run, 3), bad)
    (row,) = stored(store, run)
    np.testing.assert_array_equal(row.train_loss, [1e9, np.nan])
    np.testing.assert_array_equal(row.val_loss, [np.inf, 3.0])
    assert np.isnan(row.test_loss)
    assert job(store, run, 3).state is JobState.DIVERGED


def test_a_result_without_a_finished_epoch_is_kept(store, run):
    store.results.complete(claim(store, run, 3), made_up_result(0, status="diverged", test=None))
    (row,) = stored(store, run)
    assert len(row.val_top1) == len(row.train_loss) == 0
    assert (row.best_epoch, row.test_top1, row.test_top5, row.test_loss) == (None,) * 4


def test_completing_twice_under_one_lease_is_one_success(store, run):
    lease = claim(store, run, 3)
    store.results.complete(lease, made_up_result())
    store.results.complete(lease, made_up_result())
    assert len(stored(store, run)) == 1


def test_a_late_result_is_accepted_if_nobody_else_holds_the_job(store, run):
    lease = claim(store, run, 3, lease_s=SHORT_S)
    expire(store, run, 3)
    store.jobs.reap(max_attempts=3)
    store.results.complete(lease, made_up_result())
    assert job(store, run, 3).state is JobState.SUCCEEDED
    assert len(stored(store, run)) == 1


@pytest.mark.parametrize("other", [{"seed": 1}, {"recipe_fingerprint": "f" * 64}])
def test_a_late_result_of_another_run_of_that_number_is_refused(store, run, other):
    lease = claim(store, run, 3, lease_s=SHORT_S)
    expire(store, run, 3)
    store.jobs.reap(max_attempts=3)
    with pytest.raises(LeaseLost):
        store.results.complete(lease, replace(made_up_result(), **other))
    assert stored(store, run) == []


def test_a_late_result_is_refused_if_another_worker_holds_the_job(store, run):
    late = claim(store, run, 3, lease_s=SHORT_S)
    expire(store, run, 3)
    store.jobs.reap(max_attempts=3)
    holder = claim(store, run, 3, worker="w1@there")
    with pytest.raises(LeaseLost):
        store.results.complete(late, made_up_result(test=replace(TEST_SCORE, top1=1)))
    store.results.complete(holder, made_up_result(test=replace(TEST_SCORE, top1=2)))
    with pytest.raises(LeaseLost):
        store.results.complete(late, made_up_result(test=replace(TEST_SCORE, top1=1)))
    (row,) = stored(store, run)
    assert (row.worker, row.test_top1) == ("w1@there", 2)


def test_a_late_result_of_a_job_that_failed_is_refused(store, run):
    late = claim(store, run, 3, lease_s=SHORT_S)
    expire(store, run, 3)
    store.jobs.reap(max_attempts=1)
    with pytest.raises(LeaseLost):
        store.results.complete(late, made_up_result())
    assert stored(store, run) == []


def test_a_result_that_cannot_be_written_leaves_the_job_as_it_was(store, run):
    lease = claim(store, run, 3)
    with pytest.raises(StoreError, match="counts from -1 to 22: 0 to 4294967295 is allowed"):
        store.results.complete(lease, made_up_result(val_top1=np.array([-1, 1])))
    assert job(store, run, 3).state is JobState.RUNNING
    store.results.complete(lease, made_up_result())


def test_one_environment_is_stored_once_however_many_write_it(store):
    run, _ = make_run(store)
    store.runs.add_jobs(run.id, range(8))
    leases = [claim(store, run) for _ in range(8)]
    at_once(lambda number: store.results.complete(leases[number], made_up_result()), 8)
    assert list(environments(store).values()) == [ENVIRONMENT]
    assert len({row.environment_id for row in stored(store, run)}) == 1


def test_the_results_of_the_last_time_are_counted(store, run):
    assert store.results.finished_within(run.id, 60) == (0, 0.0)
    for index in (3, 5):
        store.results.complete(claim(store, run, index), made_up_result())
    count, first_ago_s = store.results.finished_within(run.id, 60)
    assert count == 2
    assert 0 < first_ago_s < 60
    assert store.results.finished_within(run.id + 1, 60) == (0, 0.0)
    assert store.results.finished_within(run.id, -60) == (0, 0.0)
