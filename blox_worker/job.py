"""One job, from its claim to its result: the function that every kind of worker runs."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from pathlib import Path

from blox_core.data import TrainingData, load_data
from blox_core.errors import TrainingStopped
from blox_core.recipe import Recipe
from blox_core.result import TrainingResult
from blox_core.space import Architecture
from blox_core.trainer import EpochReport
from blox_core.training import TRAINER_REVISION, train, training_identity
from blox_store.errors import LeaseLost, StoreError, StoreUnavailable
from blox_store.store import JobState, Lease, NoClaim, Run, Store
from blox_worker.blame import is_node_fault
from blox_worker.checkpoints import JobCheckpoints
from blox_worker.heartbeat import Heartbeat
from blox_worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

TRAINER = "torch"

JobReport = Callable[[Lease, EpochReport], None]


class Ending(Enum):
    """How a claimed job ended here; only COMPLETED and FAILED end it for good."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    RETRIED = "to be tried again"
    FAILED = "failed"
    LEASE_LOST = "lease lost"


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Who trains, on which torch device, and by which settings."""

    name: str
    device: str
    settings: WorkerSettings


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """How a claimed job ended here, with its result if it was completed.

    `saw_outage` says that the store was away meanwhile, for other workers too.
    """

    arch_index: int
    ending: Ending
    result: TrainingResult | None = None
    error: str | None = None
    saw_outage: bool = False


def run_job(
    store: Store,
    run: Run,
    arch_index: int | None = None,
    *,
    worker: Worker,
    should_stop: Callable[[], bool],
    on_epoch: JobReport,
) -> JobOutcome | NoClaim:
    """Claim a job of a run, the next one if none is named, train it, and write its result.

    The lease is renewed meanwhile, checkpoints are written and resumed from. A stop gives the
    lease back; a failure of the job counts as one of its attempts; a failure of the node
    (`blame`) gives the lease back and is raised.
    """
    lease = store.jobs.claim(
        run.id,
        arch_index,
        worker=worker.name,
        trainer=TRAINER,
        trainer_revision=TRAINER_REVISION,
        lease_s=worker.settings.lease_s,
    )
    if isinstance(lease, NoClaim):
        return lease
    with Heartbeat(store, lease, every_s=worker.settings.heartbeat_s) as heartbeat:
        try:
            outcome = _Attempt(store, run, lease, worker, heartbeat).run(should_stop, on_epoch)
        except LeaseLost as error:
            outcome = _lease_lost(lease, error)
        except Exception as error:
            if is_node_fault(error):
                with suppress(StoreError):  # what cannot be given back now runs out by itself
                    store.jobs.release(lease, heartbeat.epoch)
                raise
            outcome = _failed(store, lease, worker.settings, error)
    return replace(outcome, saw_outage=heartbeat.saw_outage)


class _Attempt:
    """One attempt at a claimed job."""

    def __init__(
        self, store: Store, run: Run, lease: Lease, worker: Worker, heartbeat: Heartbeat
    ) -> None:
        self._store = store
        self._lease = lease
        self._worker = worker
        self._heartbeat = heartbeat
        self._last_report: EpochReport | None = None
        self._seed = run.seed
        self._recipe = Recipe.from_dict(run.recipe)
        self._architecture = Architecture(lease.arch_index)
        self._checkpoints = JobCheckpoints(
            worker.settings.checkpoint_dir,
            lease,
            training_identity(self._architecture, self._recipe, run.seed, worker.device),
            every_s=worker.settings.checkpoint_every_s,
        )

    def run(self, should_stop: Callable[[], bool], on_epoch: JobReport) -> JobOutcome:
        """Train to the end and write the result, or stop and give the lease back."""
        try:
            result = self._train(should_stop, on_epoch)
        except TrainingStopped as stop:
            return self._stopped(stop)
        try:
            self._store.results.complete(self._lease, result)
        except StoreUnavailable:
            self._keep_last_epoch()
            raise
        self._checkpoints.drop()
        return JobOutcome(arch_index=self._lease.arch_index, ending=Ending.COMPLETED, result=result)

    def _train(self, should_stop: Callable[[], bool], on_epoch: JobReport) -> TrainingResult:
        checkpoint = self._checkpoints.latest()
        first = 0 if checkpoint is None else checkpoint.epoch
        self._heartbeat.epoch = first
        self._store.jobs.start(self._lease, first)

        def epoch_ended(report: EpochReport) -> None:
            self._heartbeat.epoch = report.epoch
            self._last_report = report
            self._checkpoints.after_epoch(report)
            on_epoch(self._lease, report)

        return train(
            self._architecture,
            self._recipe,
            self._seed,
            device=self._worker.device,
            data=_data(self._recipe, self._worker.settings.data_dir),
            checkpoint=checkpoint,
            on_epoch=epoch_ended,
            should_stop=lambda: should_stop() or self._heartbeat.lost,
        )

    def _keep_last_epoch(self) -> None:
        """Let the next attempt start after the last epoch, so that it has little to do."""
        if self._last_report is not None:
            self._checkpoints.save(self._last_report.checkpoint())

    def _stopped(self, stop: TrainingStopped) -> JobOutcome:
        if self._heartbeat.lost:  # a file of a job that is another's would stay for ever
            return JobOutcome(arch_index=self._lease.arch_index, ending=Ending.LEASE_LOST)
        if stop.checkpoint is not None:
            self._checkpoints.save(stop.checkpoint)
        self._store.jobs.release(self._lease, self._heartbeat.epoch)
        return JobOutcome(arch_index=self._lease.arch_index, ending=Ending.STOPPED)


def _failed(store: Store, lease: Lease, settings: WorkerSettings, error: Exception) -> JobOutcome:
    """Count the attempt against the job."""
    logger.warning("job %s failed", lease.arch_index, exc_info=error)
    try:
        state = store.jobs.fail(
            lease,
            "".join(traceback.format_exception(error)),
            max_attempts=settings.max_attempts,
            backoff_s=settings.retry_backoff_s * 2**lease.attempts,
        )
    except LeaseLost as lost:
        return _lease_lost(lease, lost)
    return JobOutcome(
        arch_index=lease.arch_index,
        ending=Ending.FAILED if state is JobState.FAILED else Ending.RETRIED,
        error=f"{type(error).__name__}: {error}",
    )


def _lease_lost(lease: Lease, error: LeaseLost) -> JobOutcome:
    return JobOutcome(arch_index=lease.arch_index, ending=Ending.LEASE_LOST, error=str(error))


@lru_cache(maxsize=1)
def _data(recipe: Recipe, data_dir: Path) -> TrainingData:
    """Load a recipe's data once a process: consecutive jobs are of one run."""
    return load_data(recipe, data_dir)
