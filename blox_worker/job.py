"""One job, from its claim to its result: the function that every kind of worker runs."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from blox_core.epoch_report import EpochReport
from blox_core.errors import TrainingStopped
from blox_core.recipe import Recipe
from blox_core.result import TrainingResult
from blox_core.space import Architecture
from blox_store.errors import LeaseLost, StoreError, StoreUnavailable
from blox_store.store import JobState, Lease, NoClaim, Run, Store
from blox_worker.blame import is_node_fault
from blox_worker.checkpoints import JobCheckpoints
from blox_worker.heartbeat import Heartbeat
from blox_worker.job_log import log_job
from blox_worker.outbox import Outbox
from blox_worker.pace import Pace
from blox_worker.patience import patiently
from blox_worker.settings import WorkerSettings
from blox_worker.trainers import TRAINERS
from blox_worker.wording import describe

logger = logging.getLogger(__name__)

JobReport = Callable[[Lease, EpochReport], None]
Answer = TypeVar("Answer")


class Ending(Enum):
    """How a claimed job ended here; only COMPLETED and FAILED end it for good."""

    COMPLETED = "completed"
    KEPT = "trained; the result is kept on disk until the store is back"
    STOPPED = "stopped"
    RETRIED = "to be tried again"
    FAILED = "failed"
    LEASE_LOST = "lease lost"


# What the log calls it.
_EVENTS: Final[Mapping[Ending, tuple[str, int]]] = {
    Ending.COMPLETED: ("finished", logging.INFO),
    Ending.KEPT: ("kept on disk", logging.WARNING),
    Ending.STOPPED: ("given back", logging.INFO),
    Ending.RETRIED: ("failed", logging.WARNING),
    Ending.FAILED: ("given up", logging.WARNING),
    Ending.LEASE_LOST: ("lease lost", logging.WARNING),
}


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Who trains, on which torch device, by which settings, and how fast it does just now."""

    name: str
    device: str
    settings: WorkerSettings
    pace: Pace = field(default_factory=Pace, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """How a claimed job ended here, with its result if it was trained to the end.

    `failed_elsewhere` says of a job that failed that it had failed on another worker too, which
    clears this one.
    """

    run_id: int
    arch_index: int
    ending: Ending
    result: TrainingResult | None = None
    error: str | None = None
    failed_elsewhere: bool = False


def run_job(
    store: Store,
    run: Run,
    arch_index: int | None = None,
    *,
    worker: Worker,
    stop: threading.Event,
    on_epoch: JobReport,
    on_outage: Callable[[], None] = lambda: None,
) -> JobOutcome | NoClaim:
    """Claim a job of a run, the next one if none is named, train it, and write its result.

    Results that an outage left on disk are written before. The lease is renewed meanwhile,
    checkpoints are written and resumed from. A stop gives the lease back; a failure of the job
    counts as one of its attempts; a failure of the node (`blame`) gives the lease back and is
    raised. Outages of the store are waited out, each try reported by `on_outage` from any thread;
    StoreUnavailable is raised only if a stop is requested before there is a claim.
    """
    trainer = TRAINERS.get(run.trainer)
    if trainer is None:
        return NoClaim.OTHER_REVISION
    token = uuid4().hex  # one for all tries: what an earlier one took is found again

    def claim() -> Lease | NoClaim:
        Outbox(worker.settings.checkpoint_dir, store).flush()
        return store.jobs.claim(
            run,
            arch_index,
            worker=worker.name,
            trainer_revision=trainer.revision,
            lease_s=worker.settings.lease_s,
            token=token,
        )

    lease = patiently(claim, stop=stop, on_outage=on_outage)
    if isinstance(lease, NoClaim):
        return lease
    log_job(lease, "taken", f"goes on after epoch {lease.epoch}" if lease.epoch else "")
    every_s = worker.settings.heartbeat_s
    with Heartbeat(store, lease, every_s=every_s, on_outage=on_outage) as heartbeat:
        return _Attempt(store, run, lease, worker, heartbeat, stop, on_outage).outcome(on_epoch)


class _Attempt:
    """One attempt at a claimed job."""

    def __init__(
        self,
        store: Store,
        run: Run,
        lease: Lease,
        worker: Worker,
        heartbeat: Heartbeat,
        stop: threading.Event,
        on_outage: Callable[[], None],
    ) -> None:
        self._store = store
        self._run = run
        self._lease = lease
        self._worker = worker
        self._heartbeat = heartbeat
        self._stop = stop
        self._on_outage = on_outage
        self._trainer = TRAINERS[run.trainer]

    def outcome(self, on_epoch: JobReport) -> JobOutcome:
        """Train and write the result; turn whatever happens into how the job ended here."""
        try:
            return self._run_to_end(on_epoch)
        except LeaseLost as error:
            return self._ended(Ending.LEASE_LOST, error=str(error))
        except Exception as error:
            if isinstance(error, StoreUnavailable) and self._stop.is_set():
                return self._ended(Ending.STOPPED, error=str(error))  # the lease will run out
            if is_node_fault(error):
                self._give_back(error)
                raise
            return self._failed(error)

    def _give_back(self, fault: Exception) -> None:
        """Leave the job to others for a while: this worker is the first to come back for it."""
        wait_s = self._worker.settings.retry_backoff_s
        with suppress(StoreError):  # what cannot be given back now runs out by itself
            self._store.jobs.release(self._lease, self._heartbeat.epoch, wait_s=wait_s)
            why = f"fault of the node: {type(fault).__name__}: {fault}"
            log_job(self._lease, "given back", why, level=logging.WARNING)

    def _run_to_end(self, on_epoch: JobReport) -> JobOutcome:
        recipe = Recipe.from_dict(self._run.recipe)
        architecture = Architecture(self._lease.arch_index)
        device = self._worker.device
        checkpoints = JobCheckpoints(
            self._worker.settings.checkpoint_dir,
            self._store.id,
            self._lease,
            self._trainer.identity(architecture, recipe, self._run.seed, device),
            load=self._trainer.load_checkpoint,
            every_s=self._worker.settings.checkpoint_every_s,
        )
        try:
            return self._trained(architecture, recipe, checkpoints, on_epoch)
        except LeaseLost:
            self._drop_if_ended(checkpoints)
            raise

    def _trained(
        self,
        architecture: Architecture,
        recipe: Recipe,
        checkpoints: JobCheckpoints,
        on_epoch: JobReport,
    ) -> JobOutcome:
        try:
            with checkpoints:
                result = self._train(architecture, recipe, checkpoints, on_epoch)
        except TrainingStopped as stop:
            return self._stopped(stop, checkpoints)
        return self._written(result, checkpoints)

    def _drop_if_ended(self, checkpoints: JobCheckpoints) -> None:
        """Delete what was written after the job had ended elsewhere: nobody else would do it."""
        run_id, arch_index = self._lease.run_id, self._lease.arch_index
        if self._patiently(lambda: self._store.jobs.has_ended(run_id, arch_index)):
            checkpoints.drop_own()

    def _train(
        self,
        architecture: Architecture,
        recipe: Recipe,
        checkpoints: JobCheckpoints,
        on_epoch: JobReport,
    ) -> TrainingResult:
        checkpoint = checkpoints.latest()
        first = 0 if checkpoint is None else checkpoint.epoch
        self._heartbeat.epoch = first
        if first != self._lease.epoch:
            self._patiently(lambda: self._store.jobs.start(self._lease, first))

        def epoch_ended(report: EpochReport) -> None:
            self._worker.pace.epoch_ended(recipe.train_images)
            self._heartbeat.epoch = report.epoch
            if not self._heartbeat.lost:
                checkpoints.after_epoch(report)
            on_epoch(self._lease, report)

        self._worker.pace.start()
        try:
            return self._trainer.train(
                architecture,
                recipe,
                self._run.seed,
                device=self._worker.device,
                settings=self._worker.settings,
                checkpoint=checkpoint,
                on_epoch=epoch_ended,
                should_stop=lambda: self._stop.is_set() or self._heartbeat.lost,
            )
        finally:
            self._worker.pace.end()

    def _written(self, result: TrainingResult, checkpoints: JobCheckpoints) -> JobOutcome:
        """Write the result, if need be by way of the disk and as soon as the store is back.

        Whatever the store says but that the lease is lost, the result stays on disk until then.
        """
        kept: Path | None = None
        try:
            self._store.results.complete(self._lease, result)
        except LeaseLost:
            raise
        except StoreError as error:
            logger.warning("the result of job %s has to wait: %s", self._lease.arch_index, error)
            self._on_outage()
            kept = self._kept(result)
            try:
                self._patiently(lambda: self._store.results.complete(self._lease, result))
            except StoreUnavailable:
                if kept is None:
                    raise
                return self._ended(Ending.KEPT, result=result)
            except LeaseLost:
                if kept is not None:
                    kept.unlink(missing_ok=True)
                raise
        checkpoints.drop()
        if kept is not None:
            kept.unlink(missing_ok=True)
        outcome = self._ended(Ending.COMPLETED, result=result)
        checkpoints.check()  # the result is safe, but the node's disk is not as it should be
        return outcome

    def _kept(self, result: TrainingResult) -> Path | None:
        outbox = Outbox(self._worker.settings.checkpoint_dir, self._store)
        try:
            return outbox.keep(self._lease, result)
        except OSError as error:
            logger.error(
                "the result of job %s is in memory only: %s", self._lease.arch_index, error
            )
            return None

    def _stopped(self, stop: TrainingStopped, checkpoints: JobCheckpoints) -> JobOutcome:
        if stop.checkpoint is not None and not self._heartbeat.lost:
            checkpoints.save(stop.checkpoint)
        self._patiently(lambda: self._store.jobs.release(self._lease, self._heartbeat.epoch))
        return self._ended(Ending.STOPPED)

    def _failed(self, error: Exception) -> JobOutcome:
        """Count the attempt against the job."""
        lease, settings = self._lease, self._worker.settings
        try:
            state = self._patiently(
                lambda: self._store.jobs.fail(
                    lease,
                    "".join(traceback.format_exception(error)),
                    kind=type(error).__name__,
                    max_attempts=settings.max_attempts,
                    backoff_s=settings.retry_backoff_s * 2**lease.attempts,
                )
            )
            attempts = self._patiently(
                lambda: self._store.jobs.attempts(lease.run_id, lease.arch_index)
            )
        except LeaseLost as lost:
            return self._ended(Ending.LEASE_LOST, error=str(lost))
        except StoreUnavailable as away:  # only after a stop; the lease will run out
            return self._ended(Ending.STOPPED, error=str(away))
        return self._ended(
            Ending.FAILED if state is JobState.FAILED else Ending.RETRIED,
            error=f"{type(error).__name__}: {error}",
            failed_elsewhere=any(attempt.worker != lease.worker for attempt in attempts),
        )

    def _ended(
        self,
        ending: Ending,
        *,
        result: TrainingResult | None = None,
        error: str | None = None,
        failed_elsewhere: bool = False,
    ) -> JobOutcome:
        event, level = _EVENTS[ending]
        detail = error or ending.value
        if result is not None:
            detail = describe(result, Recipe.from_dict(self._run.recipe))
        log_job(self._lease, event, detail, level=level)
        return JobOutcome(
            run_id=self._lease.run_id,
            arch_index=self._lease.arch_index,
            ending=ending,
            result=result,
            error=error,
            failed_elsewhere=failed_elsewhere,
        )

    def _patiently(self, action: Callable[[], Answer]) -> Answer:
        return patiently(action, stop=self._stop, on_outage=self._on_outage)
