"""How long it takes to publish a whole run, and how much of Redis that takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

import redis

from benchmarks.suite.report.benchmark import Found
from benchmarks.suite.report.row import Row
from blox_core.recipe import preset
from blox_core.simulation import SIMULATED
from blox_store.store import DueJob, JobState, Run, Store
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import TASK, make_app
from blox_worker.queue.scheduler import Scheduler
from blox_worker.reaper import Reaper
from tests.support.results import made_up_run
from tests.support.servers import own_redis, production_postgres, wait_until

MOST_S: Final = 30
MOST_MB: Final = 120
_SAMPLE: Final = 2000  # messages that the peer sends
_MB: Final = 1e6
_TIMEOUT_S: Final = 600


def measure(jobs: int) -> Found:
    """Publish a run of so many jobs by a scheduler; return the rows."""
    with (
        production_postgres() as (_, url),
        own_redis() as server,
        Store(url, migrate=True) as store,
        redis.Redis.from_url(server.url) as client,
    ):
        peer_s = _one_by_one_s(server.url, min(_SAMPLE, jobs)) / min(_SAMPLE, jobs)
        client.flushall()
        empty = int(client.info("memory")["used_memory"])
        run = made_up_run(store, preset("cifar100"), indices=range(jobs), trainer=SIMULATED)
        broker = _TimedBroker(make_app(server.url, store.id))
        total_s = _publish_all(store, run, broker, jobs)
        used = int(client.info("memory")["used_memory"])
    publishing = Row("of that, publishing", [broker.publishing_s], "s")
    marking_s = total_s - broker.publishing_s
    return [
        Row(f"{jobs:,} jobs in Redis", [total_s], "s", at_most=MOST_S),
        publishing.against("apply_async one by one", peer_s * jobs),
        Row("of that, reading and marking in PostgreSQL", [marking_s], "s"),
        Row("speed", [jobs / total_s], "jobs/s"),
        Row("memory of Redis", [used / _MB], "MB", at_most=MOST_MB),
        Row("memory of a job", [(used - empty) / jobs], "bytes"),
    ], {}


class _TimedBroker(Broker):
    """The broker of the scheduler, and how long publishing took."""

    publishing_s = 0.0

    def publish(self, run: Run, jobs: Sequence[DueJob]) -> None:
        begun = time.perf_counter()
        super().publish(run, jobs)
        self.publishing_s += time.perf_counter() - begun


def _publish_all(store: Store, run: Run, broker: _TimedBroker, jobs: int) -> float:
    """Return the seconds from the scheduler's start until all jobs are marked as queued."""
    reaper = Reaper(store, lease_s=60, max_attempts=3)
    scheduler = Scheduler(
        store, run, broker, reaper, name="benchmark", order="index", poll_s=0.05, lease_s=60
    )
    stop = threading.Event()
    thread = threading.Thread(target=scheduler.run, args=(stop,))

    def all_marked() -> bool:
        assert thread.is_alive(), "the scheduler has ended"
        return store.jobs.counts(run.id)[JobState.QUEUED] >= jobs

    begun = time.perf_counter()
    thread.start()
    wait_until(all_marked, "the scheduler to publish all jobs", _TIMEOUT_S)
    total_s = time.perf_counter() - begun
    stop.set()
    thread.join()
    return total_s


def _one_by_one_s(url: str, messages: int) -> float:
    """Return the seconds that it takes to send messages as Celery's documentation does."""
    app = make_app(url, "peer")

    @app.task(name=TASK)
    def train(run_id: int, arch_index: int) -> None:
        pass

    begun = time.perf_counter()
    for index in range(messages):
        train.apply_async((1, index))
    return time.perf_counter() - begun
