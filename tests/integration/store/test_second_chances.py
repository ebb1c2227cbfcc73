"""The contract of second chances: attempts that are taken back, and jobs that start over."""

import pytest

from blox_store.store import JobState, Lease, NoClaim
from tests.support.results import made_up_result
from tests.support.store_jobs import (
    LONG_S,
    OTHER_HOST,
    A,
    at_once,
    claim,
    fail,
    job,
    make_run,
    start,
)


def test_the_attempts_of_a_worker_are_forgiven(store, run):
    fail(store, run, 3, worker=A, max_attempts=1)
    fail(store, run, 5, worker=A, backoff_s=LONG_S)
    fail(store, run, 7, worker=OTHER_HOST)
    jobs = [(run.id, index) for index in (7, 3, 5, 3)]
    assert store.jobs.forgive(A, jobs) == 2
    for index in (3, 5):
        forgiven = job(store, run, index)
        assert (forgiven.state, forgiven.attempts, forgiven.due_in_s) == (JobState.PENDING, 0, None)
        assert store.jobs.attempts(run.id, index) == []
    assert job(store, run, 7).attempts == 1
    assert store.jobs.forgive(A, jobs) == 0


def test_only_the_attempts_of_that_worker_are_forgiven(store, run):
    for worker in (OTHER_HOST, A, A):
        fail(store, run, 3, worker=worker, max_attempts=3)
    assert job(store, run, 3).state is JobState.FAILED
    assert store.jobs.forgive(A, [(run.id, 3)]) == 2
    assert (job(store, run, 3).state, job(store, run, 3).attempts) == (JobState.PENDING, 1)
    assert [attempt.worker for attempt in store.jobs.attempts(run.id, 3)] == [OTHER_HOST]


def test_forgiving_leaves_a_job_with_whom_it_is(store, run):
    fail(store, run, 3, worker=A)
    fail(store, run, 5, worker=A)
    lease = claim(store, run, 3, worker=OTHER_HOST)
    store.results.complete(claim(store, run, 5, worker=OTHER_HOST), made_up_result())
    assert store.jobs.forgive(A, [(run.id, 3), (run.id, 5), (run.id, 4)]) == 2
    assert job(store, run, 5).state is JobState.SUCCEEDED
    store.jobs.heartbeat(lease, 1)


def test_forgiven_jobs_still_avoid_the_worker_while_another_lives(store, run):
    start(store, A, OTHER_HOST)
    fail(store, run, 3, worker=A, max_attempts=1)
    store.jobs.forgive(A, [(run.id, 3)])
    assert store.jobs.reap(max_attempts=1) == []
    assert claim(store, run, 3, worker=A) is NoClaim.NOT_DUE
    store.workers.leave(OTHER_HOST, pid=1)
    assert store.jobs.reap(max_attempts=1) == []
    assert job(store, run, 3).avoid is None


def test_forgiving_at_once_counts_an_attempt_once(store):
    run, _ = make_run(store)
    store.runs.add_jobs(run.id, range(20))
    for index in range(20):
        fail(store, run, index, worker=A, max_attempts=1)
    jobs = [(run.id, index) for index in range(20)]
    forgiven = at_once(lambda number: store.jobs.forgive(A, jobs[:: -1 if number else 1]), 2)
    assert sum(forgiven) == 20
    assert {job.attempts for job in store.jobs.matching(run.id)} == {0}


@pytest.fixture
def failed(store, run):
    for index in (3, 5):
        fail(store, run, index, worker=A, max_attempts=1, backoff_s=LONG_S)
    return run


def test_all_failed_jobs_start_over(store, failed):
    assert store.jobs.retry(failed.id) == [3, 5]
    again = job(store, failed, 3)
    assert (again.state, again.attempts, again.error) == (JobState.PENDING, 0, None)
    assert (again.due_in_s, again.avoid, again.priority) == (None, None, 0)
    assert store.jobs.attempts(failed.id, 3) == []
    assert store.jobs.failures(failed.id) == {}
    assert isinstance(claim(store, failed, 3), Lease)
    assert store.jobs.retry(failed.id) == []


def test_chosen_failed_jobs_start_over_with_a_priority(store, failed):
    assert store.jobs.retry(failed.id, [7, 5, 4], priority=9) == [5]
    assert (job(store, failed, 5).state, job(store, failed, 5).priority) == (JobState.PENDING, 9)
    assert job(store, failed, 3).state is JobState.FAILED
    assert (job(store, failed, 7).priority, len(store.jobs.attempts(failed.id, 3))) == (0, 1)
    assert store.jobs.retry(failed.id, []) == []


def test_two_who_retry_at_once_start_a_job_over_once(store, failed):
    retried = at_once(lambda _: store.jobs.retry(failed.id), 2)
    assert sorted(retried) == [[], [3, 5]]
