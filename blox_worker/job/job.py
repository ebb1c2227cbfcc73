"""One job, from its claim to its result: the function that every kind of worker runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from blox_core.errors import TrainingStopped
from blox_core.latency import LATENCY_REVISION
from blox_core.recipe import Recipe
from blox_core.result import TrainingResult
from blox_core.result.epoch_report import EpochReport
from blox_core.space import Architecture
from blox_store.errors import LeaseLost, StoreError, StoreUnavailable
from blox_store.store import Lease, NoClaim, Run, Store
from blox_worker.device.lock import DeviceLock
from blox_worker.job.attempt import Attempt, Ending, JobOutcome, JobReport, Worker
from blox_worker.job.heartbeat import Heartbeat
from blox_worker.job.measuring import MeasuringAttempt
from blox_worker.job.trainers import TRAINERS
from blox_worker.job_log import log_job
from blox_worker.on_disk.checkpoints import JobCheckpoints
from blox_worker.on_disk.outbox import Outbox
from blox_worker.patience import patiently

logger = logging.getLogger(__name__)


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
    """Claim a job of a run, the next one if none is named, do it, and write its result.

    Results that an outage left on disk are written before. The lease is renewed meanwhile,
    checkpoints are written and resumed from. A stop gives the lease back; a failure of the job
    counts as one of its attempts; a failure of the node (`blame`) gives the lease back and is
    raised. Outages of the store are waited out, each try reported by `on_outage` from any thread;
    StoreUnavailable is raised only if a stop is requested before there is a claim, and DeviceBusy
    if that is while a measurement has the device to itself, or waits for trainings to end.
    """
    revision = installed_revision(run)
    if revision is None:
        return NoClaim.OTHER_REVISION
    claim = _Claim(store=store, run=run, arch_index=arch_index, worker=worker, revision=revision)
    # Who waits to have a device alone keeps trainings from it, so nobody does for nothing.
    refusal = patiently(claim.refusal, stop=stop, on_outage=on_outage) if run.measures else None
    if refusal is not None:
        return refusal
    with DeviceLock(worker.settings.lock_dir, worker.device).held(alone=run.measures, stop=stop):
        lease = patiently(claim.lease, stop=stop, on_outage=on_outage)
        if isinstance(lease, NoClaim):
            return lease
        log_job(lease, "taken", f"goes on after epoch {lease.epoch}" if lease.epoch else "")
        every_s = worker.settings.heartbeat_s
        with Heartbeat(store, lease, every_s=every_s, on_outage=on_outage) as heartbeat:
            kind = MeasuringAttempt if run.measures else TrainingAttempt
            attempt = kind(store, run, lease, worker, heartbeat, stop, on_outage)
            return attempt.outcome(on_epoch)


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """A claim of a job by a worker; one that is tried again finds what it took before.

    Results that are kept on disk are written first.
    """

    store: Store
    run: Run
    arch_index: int | None
    worker: Worker
    revision: int
    token: str = field(default_factory=lambda: uuid4().hex)

    def refusal(self) -> NoClaim | None:
        """Say why there would be no lease now, or None if there would be one."""
        self._write_kept()
        return self.store.jobs.refusal(
            self.run, self.arch_index, worker=self.worker.name, trainer_revision=self.revision
        )

    def lease(self) -> Lease | NoClaim:
        """Take the lease of the job, or say why not."""
        self._write_kept()
        return self.store.jobs.claim(
            self.run,
            self.arch_index,
            worker=self.worker.name,
            trainer_revision=self.revision,
            lease_s=self.worker.settings.lease_s,
            token=self.token,
        )

    def _write_kept(self) -> None:
        Outbox(self.worker.settings.checkpoint_dir, self.store).flush()


def installed_revision(run: Run) -> int | None:
    """Return the installed revision of what does the jobs of a run, None if there is none."""
    if run.measures:
        return LATENCY_REVISION
    trainer = TRAINERS.get(run.trainer)
    return None if trainer is None else trainer.revision


class TrainingAttempt(Attempt):
    """An attempt at training an architecture, from its last checkpoint to its result."""

    def _run_to_end(self, on_epoch: JobReport) -> JobOutcome:
        recipe = Recipe.from_dict(self._run.recipe)
        architecture = Architecture(self._lease.arch_index)
        trainer = TRAINERS[self._run.trainer]
        checkpoints = JobCheckpoints(
            self._worker.settings.checkpoint_dir,
            self._store.id,
            self._lease,
            trainer.identity(architecture, recipe, self._run.seed, self._worker.device),
            load=trainer.load_checkpoint,
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
            return TRAINERS[self._run.trainer].train(
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
