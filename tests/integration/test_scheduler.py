"""The scheduler on a real Redis and a store of each kind."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import redis
from celery import Celery

from blox_core.recipe import preset
from blox_core.space import SPACE_SIZE
from blox_store.store import DueJob, JobState, Run, Store
from blox_worker import reaper
from blox_worker.queue import broker as brokers
from blox_worker.queue import scheduler as schedulers
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import make_app
from blox_worker.queue.scheduler import Scheduler
from blox_worker.reaper import Reaper
from tests.support.queue_messages import emptied, taken
from tests.support.servers import wait_until
from tests.support.store_jobs import LONG_S, SHORT_S, claim, expire, fail, job, make_run

INDICES = [9, 2, 7, 4]
SEED = 11
LEASE_S = 0.3
FEW = 100  # messages of one round trip, of which a thousand would take seconds


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    with emptied(redis_url) as made:
        yield made


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A new store, on each kind of database in turn."""
    with Store(store_url) as opened:
        yield opened


@pytest.fixture
def app(client: redis.Redis, store: Store, redis_url: str) -> Celery:
    """The application of the store on an empty Redis."""
    return make_app(redis_url, store.id)


@pytest.fixture
def run(store: Store) -> Run:
    """A run without jobs, whose recipe has a shape."""
    return store.runs.create(
        dataset="digits",
        recipe=preset("digits"),
        seed=SEED,
        trainer="torch",
        trainer_revision=1,
    ).run


def scheduler(
    store: Store,
    run: Run,
    app: Celery,
    order: str = "index",
    *,
    lease_s: float = 10,
    stays: bool = False,
) -> Scheduler:
    """Return a scheduler that is in a hurry."""
    return Scheduler(
        store,
        run,
        Broker(app),
        Reaper(store, lease_s=SHORT_S, max_attempts=1),
        name="test",
        order=order,
        poll_s=0.05,
        lease_s=lease_s,
        stays=stays,
    )


@contextmanager
def scheduling(
    store: Store, run: Run, app: Celery, order: str = "index", **options: float
) -> Iterator[None]:
    """Run a scheduler in a thread within a block."""
    stop = threading.Event()
    made = scheduler(store, run, app, order, **options)
    thread = threading.Thread(target=made.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Clock:
    """The clock of a scheduler and its reaper, which stands still unless it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self._rounds = 0
        for module in (schedulers, reaper):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        remembers = Broker.remembers

        def noted(broker: Broker, run: Run) -> bool:
            self._rounds += 1
            return remembers(broker, run)

        monkeypatch.setattr(Broker, "remembers", noted)

    def wait_for_rounds(self, count: int) -> None:
        """Wait until so many whole rounds have passed."""
        last = self._rounds + count + 1
        wait_until(lambda: self._rounds >= last, f"{count} rounds")


def counted(store: Store, run: Run, state: JobState, count: int) -> Callable[[], bool]:
    """Return the condition that so many jobs are in a state."""
    return lambda: store.jobs.counts(run.id)[state] == count


def published(store: Store, run: Run, app: Celery, order: str, count: int) -> list[int]:
    """Return the arch indices of a run's messages in the order in which workers get them."""
    with scheduling(store, run, app, order):
        wait_until(counted(store, run, JobState.QUEUED, count), "all jobs to be queued")
    return [index for _, index in taken(app)]


def by_index(indices: list[int]) -> list[int]:
    return sorted(indices)


def shuffled(indices: list[int]) -> list[int]:
    """Return the order of a run's seed, which is the same at every start."""
    ranks = list(range(SPACE_SIZE))
    random.Random(SEED).shuffle(ranks)
    return sorted(indices, key=ranks.__getitem__)


def cheapest(indices: list[int]) -> list[int]:
    return sorted(indices, reverse=True)  # as the costs of the test are


@pytest.mark.parametrize(
    ("order", "expected"), [("index", by_index), ("shuffled", shuffled), ("cheapest", cheapest)]
)
def test_jobs_are_published_in_order_and_high_priorities_first(
    store, run, app, order, expected
) -> None:
    store.static.add_architectures(run.shape, [(i, 1, 1000 - i) for i in range(20)])
    store.runs.add_jobs(run.id, INDICES)
    store.runs.add_jobs(run.id, [3, 12], priority=5)
    found = published(store, run, app, order, len(INDICES) + 2)
    assert found == expected([3, 12]) + expected(INDICES)


def test_one_that_stays_waits_for_more_jobs_when_all_have_ended(store, run, app, caplog) -> None:
    with scheduling(store, run, app, stays=True):
        wait_until(lambda: store.schedulers.holder(run.id) == "test", "the scheduler's lease")
        wait_until(lambda: "have ended; waiting for more" in caplog.text, "its word for it")
        store.runs.add_jobs(run.id, INDICES)
        wait_until(counted(store, run, JobState.QUEUED, len(INDICES)), "all jobs to be queued")
    assert caplog.text.count("have ended; waiting for more") == 1
    assert store.schedulers.holder(run.id) is None


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send few messages in one round trip."""
    for module in (brokers, schedulers):
        monkeypatch.setattr(module, "BATCH", FEW)


@pytest.mark.usefixtures("small_batches")
def test_many_jobs_are_published_and_again_when_the_broker_forgets(store, run, app, client) -> None:
    jobs = 2 * FEW + 1
    store.runs.add_jobs(run.id, range(jobs))
    broker = Broker(app)
    with scheduling(store, run, app):
        wait_until(counted(store, run, JobState.QUEUED, jobs), "all jobs to be queued")
        assert broker.waiting() == jobs
        client.flushall()
        wait_until(lambda: broker.waiting() == jobs, "all messages to be there again")
        wait_until(lambda: broker.remembers(run), "the mark to be there again")
    assert [index for _, index in taken(app)] == list(range(jobs))


def another_run(store: Store, jobs: int) -> Run:
    """Return a run with so many jobs, all of them in the queue as far as the store knows."""
    made, _ = make_run(store, seed=SEED + 1)
    store.runs.add_jobs(made.id, range(jobs))
    store.jobs.mark_queued(made.id, range(jobs))
    return made


def test_message_that_was_lost_is_published_again_while_another_run_has_its_own(
    store, run, app
) -> None:
    other, broker = another_run(store, 3), Broker(app)
    store.runs.add_jobs(run.id, INDICES)
    with scheduling(store, run, app, lease_s=LEASE_S):
        wait_until(counted(store, run, JobState.QUEUED, len(INDICES)), "all jobs to be queued")
        taken(app)
        broker.publish(other, store.jobs.queued(other.id))
        wait_until(lambda: broker.waiting() == len(INDICES) + 3, "the messages")
    assert sorted(taken(app)) == sorted(
        [[run.id, index] for index in INDICES] + [[other.id, index] for index in range(3)]
    )


def test_messages_are_published_again_once_a_lease_at_most(store, run, app, monkeypatch) -> None:
    monkeypatch.setattr(Broker, "waiting", lambda self: 0)  # as if they were lost at once
    clock = Clock(monkeypatch)
    store.runs.add_jobs(run.id, INDICES)
    with scheduling(store, run, app, lease_s=LONG_S):
        wait_until(counted(store, run, JobState.QUEUED, len(INDICES)), "all jobs to be queued")
        clock.wait_for_rounds(2)
        assert len(taken(app)) == len(INDICES)
        for _ in range(2):
            clock.now_s += LONG_S
            clock.wait_for_rounds(5)
            assert len(taken(app)) == len(INDICES)


def test_messages_are_not_missing_while_jobs_of_the_run_are_claimed(
    store, run, app, monkeypatch
) -> None:
    monkeypatch.setattr(Broker, "waiting", lambda self: 0)
    clock = Clock(monkeypatch)
    store.runs.add_jobs(run.id, INDICES)
    with scheduling(store, run, app, lease_s=LONG_S):
        wait_until(counted(store, run, JobState.QUEUED, len(INDICES)), "all jobs to be queued")
        taken(app)
        for index in INDICES[:3]:
            clock.wait_for_rounds(2)
            claim(store, run, index)
            clock.wait_for_rounds(2)
            clock.now_s += LONG_S * 0.6
    assert taken(app) == []


@pytest.mark.usefixtures("small_batches")
def test_publishing_again_that_was_broken_off_is_not_held_to_be_done(
    store, run, app, client, monkeypatch
) -> None:
    jobs = FEW + 1
    store.runs.add_jobs(run.id, range(jobs))
    broker, publish, stop = Broker(app), Broker.publish, threading.Event()
    with scheduling(store, run, app):
        wait_until(counted(store, run, JobState.QUEUED, jobs), "all jobs to be queued")
        wait_until(lambda: broker.remembers(run), "the mark")
    client.flushall()

    def stop_after(self: Broker, run: Run, batch: Sequence[DueJob]) -> None:
        publish(self, run, batch)
        stop.set()

    with monkeypatch.context() as patched:
        patched.setattr(Broker, "publish", stop_after)
        assert not scheduler(store, run, app).run(stop)
    assert broker.waiting() == FEW
    assert not broker.remembers(run)
    with scheduling(store, run, app):
        wait_until(lambda: broker.remembers(run), "the mark to be there again")
    assert {index for _, index in taken(app)} == set(range(jobs))


def test_paused_run_is_not_published(store, run, app) -> None:
    store.runs.add_jobs(run.id, INDICES)
    store.runs.set_paused(run.id, True)
    with scheduling(store, run, app):
        wait_until(lambda: Broker(app).remembers(run), "a round")
        assert Broker(app).waiting() == 0
        store.runs.set_paused(run.id, False)
        wait_until(counted(store, run, JobState.QUEUED, len(INDICES)), "all jobs to be queued")


def test_expired_lease_is_ended_and_its_job_published(store, run, app, caplog) -> None:
    store.runs.add_jobs(run.id, [4])
    lease = claim(store, run, 4, lease_s=SHORT_S)
    store.jobs.start(lease, 0)
    store.jobs.heartbeat(lease, 1)  # an epoch was finished: it does not count
    expire(store, run, 4)
    with scheduling(store, run, app):
        wait_until(counted(store, run, JobState.QUEUED, 1), "the job to be queued")
    assert job(store, run, 4).attempts == 0
    assert (
        "run 1 a00004 attempt 1 on w0@here: lease expired: after epoch 1; it goes on" in caplog.text
    )


def test_last_attempt_that_expires_is_told_with_its_error(store, run, app, caplog) -> None:
    store.runs.add_jobs(run.id, [4])
    claim(store, run, 4, lease_s=SHORT_S)
    expire(store, run, 4)
    assert scheduler(store, run, app).run(threading.Event())
    assert job(store, run, 4).state is JobState.FAILED
    assert f"run 1 a00004 attempt 1 on w0@here: given up: {job(store, run, 4).error}" in caplog.text


def test_no_lease_is_ended_right_after_everything_stood_still(store, run, app, monkeypatch) -> None:
    clock = Clock(monkeypatch)
    store.runs.add_jobs(run.id, [4])
    counts, hangs, hung = store.jobs.counts, threading.Event(), threading.Event()
    go_on = threading.Event()

    def counts_when_the_store_answers(run_id: int) -> dict[JobState, int]:
        if hangs.is_set():
            hung.set()
            go_on.wait()
        return counts(run_id)

    with scheduling(store, run, app, lease_s=LONG_S):
        clock.wait_for_rounds(1)
        clock.now_s += 1  # the reaper may reap
        clock.wait_for_rounds(1)
        monkeypatch.setattr(store.jobs, "counts", counts_when_the_store_answers)
        hangs.set()
        assert hung.wait(timeout=60)
        claim(store, run, 4, lease_s=SHORT_S)
        expire(store, run, 4)
        clock.now_s += LONG_S + 1
        hangs.clear()
        go_on.set()
        clock.wait_for_rounds(3)
        assert job(store, run, 4).state is JobState.RUNNING
        clock.now_s += 1
        wait_until(lambda: job(store, run, 4).state is not JobState.RUNNING, "the lease to end")


def test_standby_publishes_nothing(store, run, app, caplog) -> None:
    caplog.set_level(logging.INFO, "blox_worker.queue.scheduler")
    store.runs.add_jobs(run.id, INDICES)
    assert store.schedulers.hold(run.id, holder="other", token="t" * 32, lease_s=600)
    with scheduling(store, run, app):
        wait_until(lambda: "stands by" in caplog.text, "the scheduler to stand by")
        assert store.jobs.counts(run.id)[JobState.PENDING] == len(INDICES)
        assert Broker(app).waiting() == 0
        store.schedulers.release(run.id, "t" * 32)
        wait_until(counted(store, run, JobState.QUEUED, len(INDICES)), "the standby to be active")
        assert store.schedulers.holder(run.id) == "test"
    assert store.schedulers.holder(run.id) is None


def test_scheduler_ends_with_its_run(store, run, app) -> None:
    store.runs.add_jobs(run.id, [4])
    fail(store, run, 4, worker="w0@here", max_attempts=1)
    assert scheduler(store, run, app).run(threading.Event())
    assert store.schedulers.holder(run.id) is None


def test_scheduler_waits_for_a_broker_that_is_away(store, run, app, caplog) -> None:
    store.runs.add_jobs(run.id, INDICES)
    nobody = make_app("redis://:secret@127.0.0.1:1/0", store.id)
    with scheduling(store, run, nobody):
        wait_until(lambda: "; trying again" in caplog.text, "the scheduler to miss the broker")
    assert "secret" not in caplog.text
    assert store.jobs.counts(run.id)[JobState.PENDING] == len(INDICES)
