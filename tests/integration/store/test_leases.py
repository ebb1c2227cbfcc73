"""The contract of leases: heartbeats, expiry, giving back, on every database."""

from dataclasses import replace

import pytest

from blox_store.errors import LeaseLost
from blox_store.store import JobState, Lease, NoClaim
from tests.support.results import made_up_result
from tests.support.store_jobs import (
    LONG_S,
    OTHER_HOST,
    SAME_HOST,
    SHORT_S,
    A,
    at_once,
    claim,
    expire,
    fail,
    grow_old,
    job,
    make_run,
    start,
    worker_of,
)


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
    assert "w0@here expired after epoch 0, no further than before" in reaped.error
    with pytest.raises(LeaseLost, match="job 3 of run 1 is no longer leased to w0@here"):
        store.jobs.heartbeat(lease, 1)
    assert store.jobs.reap(max_attempts=3) == []


def test_an_expired_lease_under_which_an_epoch_was_finished_does_not_count(store, run):
    lease = claim(store, run, 3, lease_s=SHORT_S)
    store.jobs.heartbeat(lease, 1)
    expire(store, run, 3)
    (reaped,) = store.jobs.reap(max_attempts=1)
    assert (reaped.attempts, reaped.attempt) == (0, 1)
    claim(store, run, 3, lease_s=SHORT_S)  # resumes at epoch 1 and finishes none
    expire(store, run, 3)
    (reaped,) = store.jobs.reap(max_attempts=1)
    assert (reaped.attempts, reaped.attempt, reaped.state) == (1, 1, JobState.FAILED)
    assert claim(store, run, 3) is NoClaim.ENDED


def test_a_job_that_kills_its_workers_before_their_checkpoint_fails(store, run):
    for epoch, attempts in ((2, 0), (2, 1), (3, 1), (1, 2)):  # each from epoch 0 again
        lease = claim(store, run, 3, lease_s=SHORT_S)
        store.jobs.start(lease, 0)
        store.jobs.heartbeat(lease, epoch)
        expire(store, run, 3)
        assert [job.attempts for job in store.jobs.reap(max_attempts=2)] == [attempts]
    assert job(store, run, 3).state is JobState.FAILED
    store.jobs.retry(run.id, [3])
    store.jobs.heartbeat(claim(store, run, 3, lease_s=SHORT_S), 2)  # as if it had never been tried
    expire(store, run, 3)
    assert [job.attempts for job in store.jobs.reap(max_attempts=2)] == [0]


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


def test_a_job_may_be_given_back_for_later(store, run):
    store.jobs.release(claim(store, run, 3), 1, wait_s=LONG_S)
    released = job(store, run, 3)
    assert (released.state, released.attempts, released.epoch) == (JobState.PENDING, 0, 1)
    assert LONG_S / 2 < released.due_in_s <= LONG_S
    assert claim(store, run, 3) is NoClaim.NOT_DUE
    assert claim(store, run).arch_index == 5


def test_the_next_change_is_that_of_a_due_job_or_of_a_lease(store, run):
    assert store.jobs.next_change_s(run.id) == pytest.approx(0, abs=1)
    for index in (3, 5):
        store.results.complete(claim(store, run, index), made_up_result())
    lease = claim(store, run, 7, lease_s=100)
    assert 50 < store.jobs.next_change_s(run.id) <= 100
    store.jobs.fail(lease, "boom", kind="Boom", max_attempts=3, backoff_s=1000)
    assert 500 < store.jobs.next_change_s(run.id) <= 1000


def test_nothing_changes_by_itself_once_all_jobs_have_ended(store, run):
    for index in (3, 5, 7):
        store.results.complete(claim(store, run, index), made_up_result())
    assert store.jobs.next_change_s(run.id) is None


def test_two_reapers_at_once_count_an_expiry_once(store):
    run, _ = make_run(store)
    store.runs.add_jobs(run.id, range(30))
    for index in range(30):
        claim(store, run, index, lease_s=SHORT_S)
    expire(store, run, 29)
    reaped = at_once(lambda _: store.jobs.reap(max_attempts=3), 3)
    assert sorted(job.arch_index for jobs in reaped for job in jobs) == list(range(30))
    assert {job.attempts for job in store.jobs.matching(run.id)} == {1}
    assert store.jobs.failures(run.id) == {"lease expired": 30}


def test_a_reaper_and_a_late_heartbeat_never_both_have_the_job(store, run):
    lease = claim(store, run, 3, lease_s=SHORT_S)
    expire(store, run, 3)

    def act(number):
        if number:
            return store.jobs.reap(max_attempts=3)
        try:
            return store.jobs.heartbeat(replace(lease, duration_s=LONG_S), 0)
        except LeaseLost:
            return LeaseLost

    beaten, reaped = at_once(act, 2)
    assert (beaten is LeaseLost) == bool(reaped)
    assert (job(store, run, 3).state is JobState.PENDING) == bool(reaped)


def test_a_running_job_says_when_it_was_last_heard_of(store, run):
    assert (job(store, run, 3).seen_ago_s, job(store, run, 3).due_in_s) == (None, None)
    lease = claim(store, run, 3)
    assert 0 <= job(store, run, 3).seen_ago_s < 60
    store.jobs.fail(lease, "boom", kind="E", max_attempts=2, backoff_s=LONG_S)
    waiting = job(store, run, 3)
    assert waiting.seen_ago_s is None
    assert LONG_S / 2 < waiting.due_in_s <= LONG_S


def test_a_heartbeat_shows_that_its_worker_lives(store, run):
    lease = claim(store, run, 3, worker="gpu0@here")
    store.jobs.heartbeat(lease, 0)  # of a worker that is not registered
    start(store, "gpu0@here")
    grow_old(store, "gpu0@here", 100)
    store.jobs.heartbeat(lease, 1)
    assert worker_of(store, "gpu0@here").seen_ago_s < 50


def test_what_avoids_a_worker_is_no_change_for_it_right_now(store, run):
    start(store, A, OTHER_HOST)
    for index in (5, 7):
        store.results.complete(claim(store, run, index), made_up_result())
    fail(store, run, 3, worker=A)
    assert store.jobs.next_change_s(run.id) == pytest.approx(0, abs=1)
    assert store.jobs.next_change_s(run.id, worker=OTHER_HOST) == pytest.approx(0, abs=1)
    assert 2 < store.jobs.next_change_s(run.id, worker=SAME_HOST) <= 5
