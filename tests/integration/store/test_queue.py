"""The contract of the queue and of its schedulers, on every database."""

import pytest

from blox_store.store import JobState
from tests.support.results import made_up_result
from tests.support.servers import wait_until
from tests.support.store_jobs import LONG_S, SHORT_S, A, at_once, claim, fail, job, make_run


@pytest.fixture
def run(store):
    """A run with the jobs 3, 5 and 7, that nobody schedules."""
    made, _ = make_run(store)
    store.runs.add_jobs(made.id, [7, 3, 5])
    return made


def numbers(jobs):
    return [job.arch_index for job in jobs]


def test_due_jobs_are_those_that_can_be_claimed_in_this_order(store, run):
    store.runs.add_jobs(run.id, [4, 9], priority=1)
    store.runs.add_jobs(run.id, [8])
    claim(store, run, 5)
    fail(store, run, 8, worker=A, backoff_s=LONG_S)
    due = store.jobs.due(run.id)
    assert numbers(due) == [4, 9, 3, 7]
    assert [job.priority for job in due] == [1, 1, 0, 0]
    store.runs.set_paused(run.id, True)
    assert store.jobs.due(run.id) == []
    assert store.jobs.due(run.id + 1) == []


def test_only_pending_jobs_are_marked_as_queued(store, run):
    claim(store, run, 5)
    store.runs.add_jobs(run.id, [9], priority=1)
    store.jobs.mark_queued(run.id, [3, 5, 9, 4])
    store.jobs.mark_queued(run.id, [])
    assert numbers(store.jobs.due(run.id)) == [7]
    queued = store.jobs.queued(run.id)
    assert [(job.arch_index, job.priority) for job in queued] == [(9, 1), (3, 0)]
    assert job(store, run, 5).state is JobState.RUNNING
    claim(store, run, 9)
    assert numbers(store.jobs.queued(run.id)) == [3]


def test_queued_jobs_of_all_runs_are_counted(store, run):
    assert store.jobs.queued_beside(run) == 0
    other, _ = make_run(store, seed=1)
    store.runs.add_jobs(other.id, [3, 4])
    store.jobs.mark_queued(run.id, [3, 5])
    store.jobs.mark_queued(other.id, [3, 4])
    claim(store, run, 5)
    assert store.jobs.queued_beside(run) == 3


def test_a_job_is_told_to_have_ended(store, run):
    assert not store.jobs.has_ended(run.id, 3)
    store.results.complete(claim(store, run, 3), made_up_result())
    assert store.jobs.has_ended(run.id, 3)
    assert not store.jobs.has_ended(run.id, 4)
    assert not store.jobs.has_ended(run.id + 1, 3)


def test_more_jobs_are_marked_than_go_into_a_statement(store):
    run, _ = make_run(store)
    store.runs.add_jobs(run.id, range(2_500))
    store.jobs.mark_queued(run.id, numbers(store.jobs.due(run.id)))
    assert numbers(store.jobs.queued(run.id)) == list(range(2_500))
    assert store.jobs.due(run.id) == []


def test_marking_and_claiming_at_once_loses_no_job(store):
    run, _ = make_run(store)
    store.runs.add_jobs(run.id, range(60))

    def mark(indices):
        store.jobs.mark_queued(run.id, indices)
        return []

    def take(indices):
        return [claim(store, run, index).token for index in indices]

    calls = [(mark, range(60)), (mark, range(60)), (take, range(30)), (take, range(30, 60))]
    taken = at_once(lambda number: calls[number][0](calls[number][1]), 4)
    assert len({token for tokens in taken for token in tokens}) == 60
    assert store.jobs.counts(run.id)[JobState.RUNNING] == 60


def hold(store, run, token, *, lease_s=LONG_S):
    return store.schedulers.hold(run.id, holder=f"host {token}", token=token, lease_s=lease_s)


def test_one_scheduler_holds_a_run_and_renews(store, run):
    assert store.schedulers.holder(run.id) is None
    assert hold(store, run, "a")
    assert hold(store, run, "a")
    assert not hold(store, run, "b")
    assert store.schedulers.holder(run.id) == "host a"
    other, _ = make_run(store, seed=1)
    assert hold(store, other, "b")


def test_a_scheduler_takes_over_from_one_that_was_not_heard_of(store, run):
    assert hold(store, run, "a", lease_s=SHORT_S)
    wait_until(lambda: hold(store, run, "b"), "the lease of the first to expire")
    assert store.schedulers.holder(run.id) == "host b"
    assert not hold(store, run, "a")
    store.schedulers.release(run.id, "a")
    assert store.schedulers.holder(run.id) == "host b"


def test_an_expired_scheduler_holds_nothing_but_may_go_on(store, run):
    assert hold(store, run, "a", lease_s=SHORT_S)
    wait_until(lambda: store.schedulers.holder(run.id) is None, "the lease to expire")
    assert hold(store, run, "a")
    assert store.schedulers.holder(run.id) == "host a"


def test_a_released_run_is_taken_at_once(store, run):
    assert hold(store, run, "a")
    store.schedulers.release(run.id, "a")
    assert store.schedulers.holder(run.id) is None
    assert hold(store, run, "b")


@pytest.mark.parametrize("was_held", [False, True])
def test_of_many_schedulers_at_once_one_gets_the_run(store, run, was_held):
    if was_held:
        assert hold(store, run, "old", lease_s=SHORT_S)
        wait_until(lambda: store.schedulers.holder(run.id) is None, "the lease to expire")
    assert at_once(lambda number: hold(store, run, str(number)), 5).count(True) == 1
