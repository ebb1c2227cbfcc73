"""The contract of the store, on every database that it runs on."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from blox_store.errors import LeaseLost, RunNotFound, StoreError
from blox_store.store import JobState, Lease, NoClaim, Store
from tests.results import ENVIRONMENT, TEST_SCORE, made_up_result
from tests.servers import wait_until

LONG_S = 600.0
SHORT_S = 0.05
TRAINER = {"trainer": "torch", "trainer_revision": 1}


@pytest.fixture
def store(database_url):
    with Store(database_url, migrate=True) as opened:
        yield opened


@pytest.fixture
def run(store):
    made, _ = make_run(store)
    store.runs.add_jobs(made.id, [7, 3, 5])
    return made


def make_run(store, *, seed=0, fingerprint="f" * 64, revision=1):
    return store.runs.create(
        dataset="digits",
        recipe={"lr": 0.03, "epochs": 2},
        recipe_fingerprint=fingerprint,
        seed=seed,
        trainer="torch",
        trainer_revision=revision,
    )


def claim(store, run, index=None, *, worker="w0@here", lease_s=LONG_S, **changed):
    return store.jobs.claim(run.id, index, worker=worker, lease_s=lease_s, **(TRAINER | changed))


def stored(store, run):
    with store.snapshot() as connection:
        return list(store.results.stream(connection, run.id))


def job(store, run, index):
    (found,) = [job for job in store.jobs.matching(run.id) if job.arch_index == index]
    return found


def expire(store, run, index):
    """Wait until the lease of a job has run out by the database's clock."""
    wait_until(lambda: job(store, run, index).lease_left_s < 0, "the lease to expire")


def test_a_run_is_made_once(store):
    first, made = make_run(store)
    again, made_again = make_run(store)
    other, made_other = make_run(store, seed=1)
    assert (made, made_again, made_other) == (True, False, True)
    assert first == again != other
    assert first.recipe == {"lr": 0.03, "epochs": 2}
    assert store.runs.all() == [first, other]


def test_a_run_is_found_by_what_is_known_of_it(store):
    with pytest.raises(RunNotFound, match="the store has no run; make one by 'blox init'"):
        store.runs.find()
    first, _ = make_run(store)
    assert store.runs.find() == first
    second, _ = make_run(store, seed=1)
    assert store.runs.find(second.id) == second
    assert store.runs.find(seed=0) == first
    with pytest.raises(RunNotFound, match=r"several runs fit, choose one by --run ID: run 1: .*; "):
        store.runs.find()
    with pytest.raises(RunNotFound, match=r"no run with id 9 and seed 1; the store has run 1: "):
        store.runs.find(9, seed=1)


def test_jobs_are_added_once(store, run):
    assert store.runs.add_jobs(run.id, [3, 4, 4]) == 1
    assert [job.arch_index for job in store.jobs.matching(run.id)] == [3, 4, 5, 7]
    assert store.jobs.counts(run.id)[JobState.PENDING] == 4


def test_all_jobs_of_the_search_space_are_added(store):
    run, _ = make_run(store)
    assert store.runs.add_jobs(run.id, range(91_125)) == 91_125
    assert store.jobs.counts(run.id)[JobState.PENDING] == 91_125


def test_a_claim_takes_the_highest_priority_and_then_the_lowest_index(store, run):
    store.runs.add_jobs(run.id, [9], priority=1)
    claims = [claim(store, run) for _ in range(5)]
    assert [lease.arch_index for lease in claims[:4]] == [9, 3, 5, 7]
    assert claims[4] is NoClaim.NOTHING_DUE
    assert len({lease.token for lease in claims[:4]}) == 4
    held = job(store, run, 9)
    assert (held.state, held.worker, held.attempts) == (JobState.RUNNING, "w0@here", 0)
    assert 0 < held.lease_left_s <= LONG_S


def test_a_claim_says_why_it_got_nothing(store, run):
    assert isinstance(claim(store, run, 3), Lease)
    assert claim(store, run, 3) is NoClaim.DUPLICATE
    assert claim(store, run, 4) is NoClaim.UNKNOWN
    assert claim(store, replace(run, id=99), 3) is NoClaim.UNKNOWN
    assert claim(store, run, 5, trainer_revision=2) is NoClaim.OTHER_REVISION
    assert claim(store, run, 5, trainer="simulated") is NoClaim.OTHER_REVISION
    lease = claim(store, run, 7)
    store.results.complete(lease, made_up_result())
    assert claim(store, run, 7) is NoClaim.ENDED
    store.runs.set_paused(run.id, True)
    assert claim(store, run, 5) is NoClaim.PAUSED
    assert claim(store, run) is NoClaim.PAUSED
    store.runs.set_paused(run.id, False)
    assert claim(store, run).arch_index == 5


def test_concurrent_claims_never_share_a_job(store):
    run, _ = make_run(store)
    store.runs.add_jobs(run.id, range(40))
    barrier = threading.Barrier(4)

    def take(worker):
        barrier.wait()
        taken = []
        while isinstance(lease := claim(store, run, worker=f"w{worker}"), Lease):
            taken.append(lease.arch_index)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [index for indices in pool.map(take, range(4)) for index in indices]
    assert sorted(taken) == list(range(40))


def test_a_heartbeat_renews_the_lease_and_reports_the_epoch(store, run):
    lease = claim(store, run, 3, lease_s=SHORT_S)
    expire(store, run, 3)
    store.jobs.heartbeat(replace(lease, duration_s=LONG_S), 1)  # late, but nobody reaped it
    renewed = job(store, run, 3)
    assert renewed.lease_left_s > LONG_S / 2
    assert renewed.epoch == 1
    assert store.jobs.reap(max_attempts=3) == []


def test_only_the_reaper_ends_an_expired_lease(store, run):
    lease = claim(store, run, 3, lease_s=SHORT_S)
    expire(store, run, 3)
    assert claim(store, run, 3) is NoClaim.DUPLICATE
    (reaped,) = store.jobs.reap(max_attempts=3)
    assert (reaped.arch_index, reaped.state, reaped.attempts) == (3, JobState.PENDING, 1)
    assert "w0@here expired before an epoch was finished" in reaped.error
    with pytest.raises(LeaseLost, match="job 3 of run 1 is no longer leased to w0@here"):
        store.jobs.heartbeat(lease, 1)
    assert store.jobs.reap(max_attempts=3) == []


def test_an_expired_lease_under_which_an_epoch_was_finished_does_not_count(store, run):
    lease = claim(store, run, 3, lease_s=SHORT_S)
    store.jobs.heartbeat(lease, 1)
    expire(store, run, 3)
    assert [job.attempts for job in store.jobs.reap(max_attempts=1)] == [0]
    claim(store, run, 3, lease_s=SHORT_S)  # resumes at epoch 1 and finishes none
    expire(store, run, 3)
    (reaped,) = store.jobs.reap(max_attempts=1)
    assert (reaped.attempts, reaped.state) == (1, JobState.FAILED)
    assert claim(store, run, 3) is NoClaim.ENDED


def test_epochs_count_from_where_an_attempt_started(store, run):
    store.jobs.release(claim(store, run, 3), 9)
    lease = claim(store, run, 3, lease_s=SHORT_S)
    store.jobs.start(lease, 4)  # its checkpoint was of an earlier epoch than was reported
    store.jobs.heartbeat(lease, 5)
    expire(store, run, 3)
    assert [job.attempts for job in store.jobs.reap(max_attempts=1)] == [0]
    lease = claim(store, run, 3, lease_s=SHORT_S)
    store.jobs.start(lease, 5)
    expire(store, run, 3)
    assert [job.attempts for job in store.jobs.reap(max_attempts=2)] == [1]
    with pytest.raises(LeaseLost):
        store.jobs.start(lease, 5)


def test_a_released_job_can_be_claimed_at_once_and_nothing_counts(store, run):
    lease = claim(store, run, 3)
    store.jobs.release(lease, 1)
    released = job(store, run, 3)
    assert (released.state, released.attempts, released.epoch) == (JobState.PENDING, 0, 1)
    assert released.lease_left_s is None
    with pytest.raises(LeaseLost):
        store.jobs.release(lease, 1)
    assert isinstance(claim(store, run, 3), Lease)


def test_a_failed_attempt_counts_and_waits(store, run):
    lease = claim(store, run, 3)
    state = store.jobs.fail(lease, "Traceback: boom", max_attempts=2, backoff_s=LONG_S)
    assert state is JobState.PENDING
    assert claim(store, run, 3) is NoClaim.NOT_DUE
    assert claim(store, run).arch_index == 5
    assert job(store, run, 3).error == "Traceback: boom"
    with pytest.raises(LeaseLost):
        store.jobs.fail(lease, "again", max_attempts=2, backoff_s=0)


def test_the_last_allowed_attempt_ends_the_job_with_its_error_kept(store, run):
    for attempt in range(2):
        lease = claim(store, run, 3)
        assert lease.attempts == attempt
        state = store.jobs.fail(lease, f"boom {attempt}", max_attempts=2, backoff_s=0)
    assert state is JobState.FAILED
    (failed,) = store.jobs.matching(run.id, JobState.FAILED)
    assert (failed.arch_index, failed.attempts, failed.error) == (3, 2, "boom 1")
    assert claim(store, run, 3) is NoClaim.ENDED


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
    with store.snapshot() as connection:
        assert store.results.environments(connection) == {first.environment_id: ENVIRONMENT}
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


def test_a_snapshot_sees_one_state(store, run):
    with store.snapshot() as connection:
        assert list(store.results.stream(connection, run.id)) == []
        store.results.complete(claim(store, run, 3), made_up_result())
        assert list(store.results.stream(connection, run.id)) == []
    assert len(stored(store, run)) == 1


def test_the_next_change_is_that_of_a_due_job_or_of_a_lease(store, run):
    assert store.jobs.next_change_s(run.id) == pytest.approx(0, abs=1)
    for index in (3, 5):
        store.results.complete(claim(store, run, index), made_up_result())
    lease = claim(store, run, 7, lease_s=100)
    assert 50 < store.jobs.next_change_s(run.id) <= 100
    store.jobs.fail(lease, "boom", max_attempts=3, backoff_s=1000)
    assert 500 < store.jobs.next_change_s(run.id) <= 1000


def test_nothing_changes_by_itself_once_all_jobs_have_ended(store, run):
    for index in (3, 5, 7):
        store.results.complete(claim(store, run, index), made_up_result())
    assert store.jobs.next_change_s(run.id) is None


def test_static_information_is_kept_by_model_shape(store):
    shape = {"stem_channels": 8, "classes": 10, "resolution": 32}
    store.static.add_architectures(shape, [(0, 100, 2**33), (5, 200, 300)])
    store.static.add_architectures(shape, [(5, 200, 300), (6, 1, 2)])
    assert store.static.architecture_count(shape) == 3
    assert store.static.architecture_count(shape | {"classes": 100}) == 0
    with store.snapshot() as connection:
        found = store.static.architectures(connection, shape)
        assert found == {0: (100, 2**33), 5: (200, 300), 6: (1, 2)}


def test_latencies_are_kept_by_device(store):
    store.static.add_latencies("pixel-4", {3: 1.5, 1: 2.5})
    store.static.add_latencies("cpu", {3: 10.0})
    with store.snapshot() as connection:
        found = store.static.latencies(connection)
        assert found == {"cpu": {3: 10.0}, "pixel-4": {1: 2.5, 3: 1.5}}
