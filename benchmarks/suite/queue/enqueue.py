"""How long it takes to publish a whole run, and how much of Redis that takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import redis

from benchmarks.suite.queue.production import new_database, production_postgres
from benchmarks.suite.report.report import Row
from blox_core.recipe import preset
from blox_core.simulation import SIMULATION_REVISION
from blox_store.store import DueJob, JobState, Run, Store
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import TASK, make_app
from blox_worker.queue.scheduler import Scheduler
from blox_worker.reaper import Reaper
from tests.support.servers import own_redis

MOST_S: Final = 30
MOST_MB: Final = 120
_SAMPLE: Final = 2000  # messages that the peer sends
_MB: Final = 1e6
_TIMEOUT_S: Final = 600


def measure(jobs: int) -> list[Row]:
    """Let a scheduler publish a run of so many jobs; return the rows."""
    with (
        production_postgres() as (_, server_url),
        own_redis() as server,
        new_database(server_url, "enqueue") as url,
        Store(url, migrate=True) as store,
        redis.Redis.from_url(server.url) as client,
    ):
        peer_s = _one_by_one_s(server.url, min(_SAMPLE, jobs)) / min(_SAMPLE, jobs)
        client.flushall()
        empty = int(client.info("memory")["used_memory"])
        run = new_run(store, jobs)
        broker = _TimedBroker(make_app(server.url, store.id))
        total_s = _publish_all(store, run, broker, jobs)
        used = int(client.info("memory")["used_memory"])
    return [
        Row(part="enqueue", name=f"{jobs:,} jobs in Redis", value=total_s, unit="s", bound=MOST_S),
        Row(
            part="enqueue",
            name="of that, publishing",
            value=broker.publishing_s,
            unit="s",
            peer="apply_async one by one",
            ratio=broker.publishing_s / (peer_s * jobs),
        ),
        Row(
            part="enqueue",
            name="of that, reading and marking in PostgreSQL",
            value=total_s - broker.publishing_s,
            unit="s",
        ),
        Row(part="enqueue", name="speed", value=jobs / total_s, unit="jobs/s"),
        Row(part="enqueue", name="memory of Redis", value=used / _MB, unit="MB", bound=MOST_MB),
        Row(part="enqueue", name="memory of a job", value=(used - empty) / jobs, unit="bytes"),
    ]


def new_run(store: Store, jobs: int, *, epochs: int | None = None, seed: int = 0) -> Run:
    """Make a simulated run of the first architectures by the CIFAR-100 recipe."""
    recipe = preset("cifar100")
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    return store.runs.create(
        dataset=recipe.dataset,
        recipe=recipe,
        seed=seed,
        trainer="simulated",
        trainer_revision=SIMULATION_REVISION,
        indices=range(jobs),
    ).run


class _TimedBroker(Broker):
    """The broker of the scheduler, and how long publishing took."""

    publishing_s = 0.0
    published = 0

    def publish(self, run: Run, jobs: Sequence[DueJob]) -> None:
        begun = time.perf_counter()
        super().publish(run, jobs)
        self.publishing_s += time.perf_counter() - begun
        self.published += len(jobs)


def _publish_all(store: Store, run: Run, broker: _TimedBroker, jobs: int) -> float:
    """Return the seconds from the scheduler's start until all jobs are marked as queued."""
    reaper = Reaper(store, lease_s=60, max_attempts=3)
    scheduler = Scheduler(
        store, run, broker, reaper, name="benchmark", order="index", poll_s=0.05, lease_s=60
    )
    stop = threading.Event()
    thread = threading.Thread(target=scheduler.run, args=(stop,))
    begun = time.perf_counter()
    thread.start()
    pause = threading.Event()
    while broker.published < jobs or store.jobs.counts(run.id)[JobState.QUEUED] < jobs:
        assert thread.is_alive(), "the scheduler has ended"
        assert time.perf_counter() - begun < _TIMEOUT_S, "the scheduler does not get on"
        pause.wait(0.05)
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
