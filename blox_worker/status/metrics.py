"""Metrics for Prometheus: what the store knows, and whether the broker is well, for each scrape.

Nothing is counted in memory, so that a scheduler that starts again goes on with the same figures,
and several give the same ones. A figure that nobody knows is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from blox_store.errors import StoreError
from blox_store.store import Store
from blox_worker.errors import AddressRefused
from blox_worker.queue.broker import Broker
from blox_worker.status.question import Answer, Question
from blox_worker.status.run_status import (
    Activity,
    RunStatus,
    StoreStatus,
    WorkerStatus,
    store_status,
)

LIMIT_S: Final = 5.0  # Prometheus gives a scrape up after 10 s
_HOUR_S: Final = 3600.0

_RunFigure = Callable[[RunStatus], float | None]
_WorkerFigure = Callable[[WorkerStatus], float | None]

_OF_RUNS: Final[Mapping[str, tuple[str, _RunFigure]]] = {
    "blox_run_size_jobs": ("Jobs of the run, in whatever state.", lambda run: run.total),
    "blox_run_paused": ("1 if no job of the run may start, else 0.", lambda run: run.paused),
    "blox_run_scheduled": (
        "1 if a scheduler's lease on the run is fresh, else 0.",
        lambda run: run.scheduler is not None,
    ),
    "blox_run_progress_ratio": (
        "Share of the run that is done, the finished epochs of running jobs included.",
        lambda run: run.progress,
    ),
    "blox_run_finished_last_hour_jobs": (
        "Jobs that got a result in the last hour.",
        lambda run: run.finished_last_hour,
    ),
    "blox_run_failed_last_hour_attempts": (
        "Attempts of the last hour that count against their jobs.",
        lambda run: run.failed_last_hour,
    ),
    "blox_run_jobs_per_second": (
        "Jobs with a result per second, over the last hour or since the first result in it.",
        lambda run: None if run.rate_per_hour is None else run.rate_per_hour / _HOUR_S,
    ),
    "blox_run_eta_seconds": ("Time left at that rate.", lambda run: run.eta_s),
    "blox_run_oldest_lease_seconds": (
        "Time since the earliest renewal of a running job's lease.",
        lambda run: run.oldest_lease_s,
    ),
}

_OF_WORKERS: Final[Mapping[str, tuple[str, _WorkerFigure]]] = {
    "blox_worker_alive": (
        "1 if the worker was seen within three minutes and claims jobs, else 0.",
        lambda worker: worker.activity in (Activity.WORKING, Activity.IDLE),
    ),
    "blox_worker_images_per_second": (
        "Training images per second in the worker's last epoch.",
        lambda worker: worker.images_per_s,
    ),
    "blox_worker_gpu_utilisation_ratio": (
        "Share of the driver's last sample in which the worker's GPU was at work.",
        lambda worker: worker.gpu_utilisation,
    ),
    "blox_worker_gpu_memory_used_bytes": (
        "Memory of the worker's GPU that is taken, by whomever.",
        lambda worker: worker.gpu_memory_used_bytes,
    ),
    "blox_worker_gpu_memory_total_bytes": (
        "Memory of the worker's GPU.",
        lambda worker: worker.gpu_memory_total_bytes,
    ),
    "blox_worker_node_faults": (
        "Faults of its node that the worker met since its start.",
        lambda worker: worker.faults,
    ),
}


class ClusterCollector(Collector):
    """Gives all runs and workers of a store as metrics, and whether store and broker are well.

    One that has not answered after `limit_s` seconds is down, and a store that is not watched yet:
    nothing is said of runs and workers then. `lease_s` is how long a lease lasts without a heartbeat.
    """

    def __init__(self, *, lease_s: float, limit_s: float = LIMIT_S) -> None:
        self._lease_s = lease_s
        self._limit_s = limit_s
        self._store: Question[StoreStatus] | None = None
        self._broker: Question[bool] | None = None

    def watch_store(self, store: Store) -> None:
        """Tell of this store from now on."""
        self._store = Question(lambda: store_status(store))

    def watch_broker(self, broker: Broker) -> None:
        """Tell of this broker from now on."""
        self._broker = Question(broker.takes_writes)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this moment."""
        store, broker = _asked(self._store), _asked(self._broker)
        to_come: list[Future[Any]] = [one for one in (store, broker) if one is not None]
        wait(to_come, self._limit_s)
        status = _told(store)
        text = "1 if the store answers, else 0."
        yield GaugeMetricFamily("blox_store_up", text, value=status is not None)
        if broker is not None:
            text = "1 if the broker takes what is written, else 0."
            yield GaugeMetricFamily("blox_broker_up", text, value=_told(broker) is True)
        text = "Time after which a lease without a heartbeat expires."
        yield GaugeMetricFamily("blox_lease_limit_seconds", text, value=self._lease_s)
        if status is not None:
            yield from _run_metrics(status.runs)
            yield from _worker_metrics(_once_each(status.workers))


def _asked(question: Question[Answer] | None) -> Future[Answer] | None:
    return None if question is None else question.asked()


def _told(answer: Future[Answer] | None) -> Answer | None:
    """Return an answer, None if there is none in time, or the store is away."""
    if answer is None or not answer.done():
        return None
    try:
        return answer.result()
    except StoreError:
        return None


@contextmanager
def serving(collector: Collector, listens_on: tuple[str, int] | None) -> Iterator[None]:
    """Serve metrics by HTTP on a host and port within a block, or nowhere.

    Raises AddressRefused if it cannot listen there.
    """
    if listens_on is None:
        yield
        return
    host, port = listens_on
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise AddressRefused(
            f"metrics on {host}:{port}: {error.strerror}; give another address by "
            "BLOX_METRICS_ADDRESS"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _run_metrics(runs: Sequence[RunStatus]) -> Iterator[Metric]:
    info = InfoMetricFamily("blox_run", "What identifies a run.", labels=["run"])
    jobs = GaugeMetricFamily("blox_jobs", "Jobs in a state.", labels=["run", "state"])
    failures = GaugeMetricFamily(
        "blox_failed_attempts",
        "Attempts that count against their jobs, by kind.",
        labels=["run", "kind"],
    )
    for run in runs:
        info.add_metric([str(run.id)], _identity(run))
        for state, count in run.jobs.items():
            jobs.add_metric([str(run.id), state], count)
        for kind, count in run.failures.items():
            failures.add_metric([str(run.id), kind], count)
    yield from (info, jobs, failures)
    for name, (text, figure) in _OF_RUNS.items():
        yield _family(name, text, "run", ((str(run.id), figure(run)) for run in runs))


def _identity(run: RunStatus) -> dict[str, str]:
    return {
        "dataset": run.dataset,
        "recipe": run.recipe_fingerprint,
        "seed": str(run.seed),
        "trainer": run.trainer,
        "trainer_revision": str(run.trainer_revision),
        "epochs": str(run.epochs),
    }


def _worker_metrics(workers: Sequence[WorkerStatus]) -> Iterator[Metric]:
    counts = Counter(worker.activity for worker in workers)
    yield _family(
        "blox_workers",
        "Workers that do this.",
        "activity",
        ((activity.value, counts[activity]) for activity in Activity),
    )
    for name, (text, figure) in _OF_WORKERS.items():
        yield _family(name, text, "worker", ((one.name, figure(one)) for one in workers))


def _once_each(workers: Iterable[WorkerStatus]) -> list[WorkerStatus]:
    """Return one entry per name: an earlier process of a name may still hold a lease."""
    by_name: dict[str, WorkerStatus] = {}
    for worker in workers:
        by_name.setdefault(worker.name, worker)  # those that registered come first
    return list(by_name.values())


def _family(
    name: str, text: str, label: str, figures: Iterable[tuple[str, float | None]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, figure in figures:
        if figure is not None:
            family.add_metric([value], figure)
    return family
