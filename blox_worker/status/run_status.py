"""What the store knows of its runs and workers, as values that are printed as JSON as they are.

Each number is None where nobody knows it. Nothing is asked but the store, and no secret is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from blox_store.store import Job, JobState, Run, Store, WorkerState
from blox_store.store.worker_name import host_of
from blox_store.store.workers import ALIVE_S
from blox_worker.status.rates import RATE_WINDOW_S, eta_s, progress, rate_per_hour
from blox_worker.wording import last_line, without_secrets

LISTED_FAILED_JOBS: Final = 10


class Activity(StrEnum):
    """What a worker does; `silent` is one that has not been seen for ALIVE_S seconds."""

    WORKING = "working"
    IDLE = "idle"
    SILENT = "silent"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class FailedJob:
    """A job that was given up, with the last line of its error."""

    arch_index: int
    attempts: int
    worker: str | None
    error: str | None


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """One run: `jobs` by state, `failures` are failed attempts by kind.

    `finished_last_hour` are results, `failed_last_hour` failed attempts. `oldest_lease_s` is the
    time since the earliest renewal of a running job's lease; `failed` holds the first
    LISTED_FAILED_JOBS failed jobs.
    """

    id: int
    name: str
    dataset: str
    recipe_fingerprint: str
    seed: int
    trainer: str
    trainer_revision: int
    epochs: int
    paused: bool
    scheduler: str | None
    total: int
    jobs: Mapping[str, int]
    progress: float | None
    finished_last_hour: int
    failed_last_hour: int
    rate_per_hour: float | None
    eta_s: float | None
    oldest_lease_s: float | None
    failures: Mapping[str, int]
    failed: list[FailedJob]


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """One worker and the job that it holds; one that never registered is known by its job alone."""

    name: str
    host: str
    device: str | None = None
    pid: int | None = None
    activity: Activity
    up_s: float | None = None
    seen_ago_s: float | None
    run_id: int | None
    arch_index: int | None
    epoch: int | None
    epochs: int | None
    lease_left_s: float | None
    images_per_s: float | None = None
    gpu_utilisation: float | None = None
    gpu_memory_used_bytes: int | None = None
    gpu_memory_total_bytes: int | None = None
    faults: int = 0
    fault: str | None = None
    stopped_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class StoreStatus:
    """All runs of a store, or the one that was asked for, and the workers."""

    store: str
    store_id: str
    runs: list[RunStatus]
    workers: list[WorkerStatus]


def store_status(store: Store, run_id: int | None = None) -> StoreStatus:
    """Return what the store knows, of one run and its workers and the idle ones if it is named.

    Raises RunNotFound if there is no such run.
    """
    runs = store.runs.all() if run_id is None else [store.runs.find(run_id)]
    running = {run.id: store.jobs.matching(run.id, JobState.RUNNING) for run in runs}
    workers = _workers(runs, running, store.workers.all())
    return StoreStatus(
        store=store.url,
        store_id=store.id,
        runs=[_run_status(store, run, running[run.id]) for run in runs],
        workers=[worker for worker in workers if run_id is None or worker.run_id in (None, run_id)],
    )


def _run_status(store: Store, run: Run, running: list[Job]) -> RunStatus:
    counts = store.jobs.counts(run.id)
    total = sum(counts.values())
    open_jobs = sum(count for state, count in counts.items() if not state.ended)
    left = max(0.0, open_jobs - sum(job.epoch for job in running) / run.epochs)
    written = store.measurements if run.measures else store.results
    finished, span_s = written.finished_within(run.id, RATE_WINDOW_S)
    rate = rate_per_hour(finished, span_s)
    return RunStatus(
        id=run.id,
        name=str(run),
        dataset=run.dataset,
        recipe_fingerprint=run.recipe_fingerprint,
        seed=run.seed,
        trainer=run.trainer,
        trainer_revision=run.trainer_revision,
        epochs=run.epochs,
        paused=run.paused,
        scheduler=store.schedulers.holder(run.id),
        total=total,
        jobs={state.value: count for state, count in counts.items()},
        progress=progress(left, total),
        finished_last_hour=finished,
        failed_last_hour=store.jobs.failed_within(run.id, RATE_WINDOW_S),
        rate_per_hour=rate,
        eta_s=eta_s(left, None if run.paused else rate),
        oldest_lease_s=max((job.seen_ago_s or 0.0 for job in running), default=None),
        failures=store.jobs.failures(run.id),
        failed=_failed(store, run) if counts[JobState.FAILED] else [],
    )


def _failed(store: Store, run: Run) -> list[FailedJob]:
    return [
        FailedJob(
            arch_index=job.arch_index,
            attempts=job.attempts,
            worker=job.worker,
            error=without_secrets(last_line(job.error)),
        )
        for job in store.jobs.matching(run.id, JobState.FAILED, limit=LISTED_FAILED_JOBS)
    ]


def _workers(
    runs: list[Run], running: dict[int, list[Job]], registered: list[WorkerState]
) -> list[WorkerStatus]:
    epochs = {run.id: run.epochs for run in runs}
    jobs = {(job.run_id, job.arch_index): job for of_run in running.values() for job in of_run}
    known = [_worker(worker, jobs, epochs) for worker in registered]
    shown = {(worker.run_id, worker.arch_index) for worker in known}
    others = [
        _unregistered(job, epochs[job.run_id]) for key, job in jobs.items() if key not in shown
    ]
    return known + others


def _worker(
    worker: WorkerState, jobs: dict[tuple[int, int], Job], epochs: dict[int, int]
) -> WorkerStatus:
    job = None
    if worker.run_id is not None and worker.arch_index is not None:
        job = jobs.get((worker.run_id, worker.arch_index))
    does = activity(worker)
    lives = does in (Activity.WORKING, Activity.IDLE)
    facts = {**vars(worker), **(vars(worker.figures) if lives else {})}
    del facts["figures"]
    texts = {name: without_secrets(facts[name]) for name in ("fault", "stopped_reason")}
    return WorkerStatus(
        **(facts | texts),
        activity=does,
        epochs=None if worker.run_id is None else epochs.get(worker.run_id),
        lease_left_s=None if job is None else job.lease_left_s,
    )


def activity(worker: WorkerState) -> Activity:
    """Return what a registered worker does, as far as the store can tell."""
    if worker.stopped_reason is not None:
        return Activity.STOPPED
    if worker.seen_ago_s > ALIVE_S:
        return Activity.SILENT
    return Activity.IDLE if worker.arch_index is None else Activity.WORKING


def _unregistered(job: Job, epochs: int) -> WorkerStatus:
    name = job.worker or ""
    silent = (job.seen_ago_s or 0.0) > ALIVE_S
    return WorkerStatus(
        name=name,
        host=host_of(name),
        activity=Activity.SILENT if silent else Activity.WORKING,
        seen_ago_s=job.seen_ago_s,
        run_id=job.run_id,
        arch_index=job.arch_index,
        epoch=job.epoch,
        epochs=epochs,
        lease_left_s=job.lease_left_s,
    )
