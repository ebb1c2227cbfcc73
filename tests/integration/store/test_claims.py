"""The contract of claims, on every database."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from blox_store.store import JobState, Lease, NoClaim
from tests.support.results import made_up_result
from tests.support.store_jobs import (
    LONG_S,
    OTHER_HOST,
    SHORT_S,
    A,
    claim,
    expire,
    fail,
    job,
    make_run,
    refusal,
    start,
)


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
    lease = claim(store, run, 7)
    store.results.complete(lease, made_up_result())
    assert claim(store, run, 7) is NoClaim.ENDED
    store.runs.set_paused(run.id, True)
    assert claim(store, run, 5) is NoClaim.PAUSED
    assert claim(store, run) is NoClaim.PAUSED
    store.runs.set_paused(run.id, False)
    assert claim(store, run).arch_index == 5


def test_what_a_claim_would_say_is_known_before_it(store, run):
    start(store, A, OTHER_HOST, run_id=run.id)
    fail(store, run, 3, worker=A)
    store.results.complete(claim(store, run, 5), made_up_result())
    for index in (3, 7, None):
        assert refusal(store, run, index, worker=OTHER_HOST) is None
    assert store.jobs.counts(run.id)[JobState.PENDING] == 2
    assert refusal(store, run, 3, worker=A) is NoClaim.NOT_DUE
    assert refusal(store, run, 5) is NoClaim.ENDED
    assert refusal(store, run, 4) is NoClaim.UNKNOWN
    assert refusal(store, replace(run, id=99)) is NoClaim.UNKNOWN
    assert refusal(store, replace(run, seed=99)) is NoClaim.OTHER_RUN
    assert refusal(store, run, trainer_revision=2) is NoClaim.OTHER_REVISION
    assert isinstance(claim(store, run, 7), Lease)
    assert refusal(store, run, 7) is NoClaim.DUPLICATE
    assert refusal(store, run, worker=A) is NoClaim.NOTHING_DUE


def test_the_message_of_a_job_that_would_be_refused_may_be_forgotten(store, run):
    store.jobs.mark_queued(run.id, [5])
    assert refusal(store, run, 5) is None
    store.runs.set_paused(run.id, True)
    assert refusal(store, run) is NoClaim.PAUSED
    assert job(store, run, 5).state is JobState.QUEUED
    assert refusal(store, run, 5) is NoClaim.PAUSED
    assert job(store, run, 5).state is JobState.PENDING


@pytest.mark.parametrize(
    "believed",
    [
        {"dataset": "cifar10"},
        {"recipe_fingerprint": "0" * 64},
        {"seed": 99},
        {"trainer": "simulated"},
        {"trainer_revision": 2},
    ],
)
def test_a_run_that_is_not_what_the_worker_takes_it_for_is_refused(store, run, believed):
    for index in (5, None):
        assert claim(store, replace(run, **believed), index) is NoClaim.OTHER_RUN
    assert claim(store, run, 5).arch_index == 5


@pytest.mark.parametrize("index", [5, None])
def test_a_claim_that_is_repeated_finds_the_lease_that_it_took(store, run, index):
    token = "a" * 32
    lease = claim(store, run, index, token=token, lease_s=SHORT_S)
    expire(store, run, lease.arch_index)
    store.runs.set_paused(run.id, True)
    assert claim(store, run, index, token=token) == replace(lease, duration_s=LONG_S)
    assert job(store, run, lease.arch_index).lease_left_s > LONG_S / 2
    assert store.jobs.counts(run.id)[JobState.RUNNING] == 1


def test_a_token_finds_no_other_job(store, run):
    token = "a" * 32
    store.jobs.release(claim(store, run, 3, token=token), 0)
    assert isinstance(claim(store, run, 3), Lease)
    assert claim(store, run, 3, token=token) is NoClaim.DUPLICATE
    assert claim(store, run, 5, token=token).arch_index == 5


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
