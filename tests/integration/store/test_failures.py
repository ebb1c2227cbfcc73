"""The contract of failures: when a job fails, where it is tried again, what is taken back."""

import pytest

from blox_store.errors import LeaseLost
from blox_store.store import ALIVE_S, JobState, Lease, NoClaim
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
)

PENDING, FAILED = JobState.PENDING, JobState.FAILED


def test_a_failed_attempt_counts_and_waits(store, run):
    lease = claim(store, run, 3)
    failure = {"kind": "Boom", "max_attempts": 2}
    state = store.jobs.fail(lease, "Traceback: boom", backoff_s=LONG_S, **failure)
    assert state is JobState.PENDING
    assert claim(store, run, 3) is NoClaim.NOT_DUE
    assert claim(store, run).arch_index == 5
    assert job(store, run, 3).error == "Traceback: boom"
    with pytest.raises(LeaseLost):
        store.jobs.fail(lease, "again", backoff_s=0, **failure)
    assert len(store.jobs.attempts(run.id, 3)) == 1


def test_the_last_allowed_attempt_ends_the_job_with_its_error_kept(store, run):
    for attempt in range(2):
        lease = claim(store, run, 3)
        assert lease.attempts == attempt
        state = store.jobs.fail(lease, f"boom {attempt}", kind="Boom", max_attempts=2, backoff_s=0)
    assert state is JobState.FAILED
    (failed,) = store.jobs.matching(run.id, JobState.FAILED)
    assert (failed.arch_index, failed.attempts, failed.error) == (3, 2, "boom 1")
    assert claim(store, run, 3) is NoClaim.ENDED


def test_attempts_are_kept_with_their_worker_kind_and_error(store, run):
    fail(store, run, 3, worker=A, kind="ValueError", max_attempts=9)
    fail(store, run, 3, worker=SAME_HOST, kind="KeyError", max_attempts=9)
    fail(store, run, 5, worker=A, kind="KeyError", max_attempts=9)
    first, second = store.jobs.attempts(run.id, 3)
    assert (first.worker, first.kind, first.error) == (A, "ValueError", f"ValueError: on {A}")
    assert (second.worker, second.kind) == (SAME_HOST, "KeyError")
    assert 0 <= second.ended_ago_s <= first.ended_ago_s < 60
    assert store.jobs.failures(run.id) == {"ValueError": 1, "KeyError": 2}
    assert store.jobs.attempts(run.id, 7) == []


def test_an_error_that_no_database_takes_as_it_is_is_kept_with_escapes(store, run):
    text, kind = "bad \0 name \udcff \N{SNOWMAN}", "K" * 999
    store.jobs.fail(claim(store, run, 3), text, kind=kind, max_attempts=1, backoff_s=0)
    kept = "bad \\x00 name \\udcff \N{SNOWMAN}"
    (attempt,) = store.jobs.attempts(run.id, 3)
    assert (job(store, run, 3).error, attempt.error, attempt.kind) == (kept, kept, "K" * 255)


def test_a_worker_that_is_alone_tries_again_until_the_job_has_failed(store, run):
    start(store, A)
    assert fail(store, run, 3, worker=A) is PENDING
    assert job(store, run, 3).avoid is None
    assert fail(store, run, 3, worker=A) is FAILED


def test_the_next_attempt_is_on_another_worker_if_no_other_host_has_one(store, run):
    start(store, A, SAME_HOST)
    assert fail(store, run, 3, worker=A) is PENDING
    assert job(store, run, 3).avoid == A
    assert claim(store, run, 3, worker=A) is NoClaim.NOT_DUE


def test_the_next_attempt_is_on_another_host_if_one_has_a_worker(store, run):
    start(store, A, SAME_HOST, OTHER_HOST)
    assert fail(store, run, 3, worker=A) is PENDING
    assert job(store, run, 3).avoid == "@here"
    assert claim(store, run, worker=SAME_HOST).arch_index == 5
    assert claim(store, run, 3, worker=SAME_HOST) is NoClaim.NOT_DUE


def test_a_job_fails_after_attempts_on_two_hosts(store, run):
    start(store, A, SAME_HOST, OTHER_HOST)
    assert fail(store, run, 3, worker=A) is PENDING
    assert fail(store, run, 3, worker=OTHER_HOST) is FAILED
    assert job(store, run, 3).avoid is None


def test_attempts_on_two_workers_of_a_host_are_not_enough_if_there_is_another_host(store, run):
    start(store, A, SAME_HOST)
    assert fail(store, run, 3, worker=A) is PENDING
    start(store, OTHER_HOST)
    assert fail(store, run, 3, worker=SAME_HOST) is PENDING
    waiting = job(store, run, 3)
    assert (waiting.attempts, waiting.avoid) == (2, "@here")
    assert fail(store, run, 3, worker=OTHER_HOST) is FAILED
    assert job(store, run, 3).attempts == 3


def test_attempts_on_two_workers_are_enough_if_there_is_no_other_host(store, run):
    start(store, A, SAME_HOST, "gpu2@here")
    assert fail(store, run, 3, worker=A) is PENDING
    assert fail(store, run, 3, worker=SAME_HOST) is FAILED


def gone(store, worker):
    store.workers.leave(worker, pid=1)


def stopped(store, worker):
    store.workers.stop(worker, "job after job failed")


def silent(store, worker):
    grow_old(store, worker, ALIVE_S + 1)


@pytest.mark.parametrize("lost", [gone, stopped, silent])
def test_a_worker_that_does_not_live_is_not_waited_for(store, run, lost):
    start(store, A, OTHER_HOST)
    lost(store, OTHER_HOST)
    assert fail(store, run, 3, worker=A) is PENDING
    assert fail(store, run, 3, worker=A) is FAILED


def test_a_worker_of_another_run_is_not_waited_for(store, run):
    other, _ = make_run(store, seed=1)
    start(store, A, run_id=run.id)
    start(store, OTHER_HOST, run_id=other.id)
    assert fail(store, run, 3, worker=A, max_attempts=1) is FAILED
    start(store, OTHER_HOST, run_id=run.id)
    assert fail(store, run, 5, worker=A, max_attempts=1) is PENDING


@pytest.mark.parametrize("lost", [gone, stopped, silent])
def test_a_job_fails_once_the_other_worker_does_not_live_any_more(store, run, lost):
    start(store, A, OTHER_HOST)
    fail(store, run, 3, worker=A, max_attempts=1)
    assert store.jobs.reap(max_attempts=1) == []
    lost(store, OTHER_HOST)
    (failed,) = store.jobs.reap(max_attempts=1)
    assert (failed.arch_index, failed.state, failed.attempts) == (3, FAILED, 1)
    assert failed.error == f"Boom: on {A}"
    assert store.jobs.reap(max_attempts=1) == []


def test_a_job_waits_on_while_no_worker_lives_at_all(store, run):
    start(store, A, OTHER_HOST)
    fail(store, run, 3, worker=A, max_attempts=1)
    for worker in (A, OTHER_HOST):
        store.workers.leave(worker, pid=1)
    assert store.jobs.reap(max_attempts=1) == []
    start(store, OTHER_HOST)
    assert store.jobs.reap(max_attempts=1) == []
    assert isinstance(claim(store, run, 3, worker=OTHER_HOST), Lease)


def test_a_job_with_attempts_left_is_released_once_the_other_worker_has_gone(store, run):
    start(store, A, OTHER_HOST)
    fail(store, run, 3, worker=A, max_attempts=3)
    store.workers.leave(OTHER_HOST, pid=1)
    assert store.jobs.reap(max_attempts=3) == []
    assert job(store, run, 3).avoid is None
    assert claim(store, run, worker=A).arch_index == 3


def test_a_job_waits_for_the_next_best_worker_once_the_other_host_has_gone(store, run):
    start(store, A, SAME_HOST, OTHER_HOST)
    fail(store, run, 3, worker=A, max_attempts=1)
    store.workers.leave(OTHER_HOST, pid=1)
    assert store.jobs.reap(max_attempts=1) == []
    assert job(store, run, 3).avoid == A
    assert fail(store, run, 3, worker=SAME_HOST, max_attempts=1) is FAILED


def test_a_job_that_avoids_a_worker_is_left_to_others_for_a_while(store, run):
    start(store, A, OTHER_HOST)
    fail(store, run, 3, worker=A)
    store.jobs.mark_queued(run.id, [3])
    assert claim(store, run, 3, worker=A) is NoClaim.NOT_DUE
    refused = job(store, run, 3)
    assert refused.state is PENDING
    assert 2 < refused.due_in_s <= 5
    assert claim(store, run, 3, worker=A) is NoClaim.NOT_DUE
    assert job(store, run, 3).due_in_s <= refused.due_in_s


def test_a_longer_wait_is_not_cut_short_by_the_worker_that_is_avoided(store, run):
    start(store, A, OTHER_HOST)
    fail(store, run, 3, worker=A, backoff_s=LONG_S)
    claim(store, run, 3, worker=A)
    assert job(store, run, 3).due_in_s > LONG_S / 2


def test_a_job_that_was_given_back_still_avoids_where_it_failed(store, run):
    start(store, A, OTHER_HOST)
    fail(store, run, 3, worker=A)
    store.jobs.release(claim(store, run, 3, worker=OTHER_HOST), 0)
    assert job(store, run, 3).avoid == "@here"
    store.results.complete(claim(store, run, 3, worker=OTHER_HOST), made_up_result())
    assert job(store, run, 3).avoid is None


def test_an_expired_lease_is_judged_like_a_failure(store, run):
    start(store, A, OTHER_HOST)
    claim(store, run, 3, worker=A, lease_s=SHORT_S)
    expire(store, run, 3)
    (reaped,) = store.jobs.reap(max_attempts=1)
    assert (reaped.state, reaped.attempts, reaped.avoid) == (PENDING, 1, "@here")
    claim(store, run, 3, worker=OTHER_HOST, lease_s=SHORT_S)
    expire(store, run, 3)
    (reaped,) = store.jobs.reap(max_attempts=1)
    assert (reaped.state, reaped.attempts, reaped.avoid) == (FAILED, 2, None)
    assert [attempt.worker for attempt in store.jobs.attempts(run.id, 3)] == [A, OTHER_HOST]
    assert store.jobs.failures(run.id) == {"lease expired": 2}


def test_an_expiry_that_does_not_count_keeps_what_is_avoided(store, run):
    start(store, A, OTHER_HOST)
    fail(store, run, 3, worker=A, max_attempts=1)
    lease = claim(store, run, 3, worker=OTHER_HOST, lease_s=SHORT_S)
    store.jobs.heartbeat(lease, 1)
    expire(store, run, 3)
    (reaped,) = store.jobs.reap(max_attempts=1)
    assert (reaped.state, reaped.attempts, reaped.avoid) == (PENDING, 1, "@here")


def test_one_failure_is_counted_once_however_often_it_is_told(store, run):
    lease = claim(store, run, 3)

    def tell(_):
        try:
            return store.jobs.fail(lease, "boom", kind="Boom", max_attempts=3, backoff_s=0)
        except LeaseLost:
            return LeaseLost

    assert sorted(map(str, at_once(tell, 3))) == sorted(map(str, [PENDING, LeaseLost, LeaseLost]))
    assert job(store, run, 3).attempts == len(store.jobs.attempts(run.id, 3)) == 1
