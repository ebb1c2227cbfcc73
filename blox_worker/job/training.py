"""A training as a job: of one architecture, from its last checkpoint to its result."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

from blox_core.errors import TrainingStopped
from blox_core.result import TrainingResult
from blox_core.result.epoch_report import EpochReport
from blox_core.space import Architecture
from blox_store.errors import LeaseLost, StoreError, StoreUnavailable
from blox_worker.job.attempt import Attempt
from blox_worker.job.outcome import Ending, JobOutcome
from blox_worker.job.trainers import TRAINERS, Assignment
from blox_worker.on_disk.checkpoints import JobCheckpoints
from blox_worker.on_disk.outbox import Outbox

logger = logging.getLogger(__name__)


class TrainingAttempt(Attempt):
    """An attempt at training an architecture, from its last checkpoint to its result."""

    def _run_to_end(self) -> JobOutcome:
        try:
            return self._trained()
        except LeaseLost:
            self._drop_if_ended()
            raise

    @cached_property
    def _assignment(self) -> Assignment:
        return Assignment(
            architecture=Architecture(self.lease.arch_index),
            recipe=self.run.training_recipe,
            seed=self.run.seed,
            device=self.worker.device,
            settings=self.worker.settings,
            on_epoch=self._epoch_ended,
            should_stop=self._is_to_stop,
        )

    @cached_property
    def _checkpoints(self) -> JobCheckpoints:
        trainer, settings = TRAINERS[self.run.trainer], self.worker.settings
        return JobCheckpoints(
            settings.checkpoint_dir,
            self.store.id,
            self.lease,
            trainer.identity(self._assignment),
            load=trainer.load_checkpoint,
            every_s=settings.checkpoint_every_s,
        )

    def _trained(self) -> JobOutcome:
        try:
            with self._checkpoints:
                result = self._train()
        except TrainingStopped as stop:
            if stop.checkpoint is not None and not self.heartbeat.lost:
                self._checkpoints.save(stop.checkpoint)
            return self._stopped()
        return self._written(result)

    def _drop_if_ended(self) -> None:
        """Delete what was written after the job had ended elsewhere: nobody else would do it."""
        run_id, arch_index = self.lease.run_id, self.lease.arch_index
        if self._patiently(lambda: self.store.jobs.has_ended(run_id, arch_index)):
            self._checkpoints.drop_own()

    def _train(self) -> TrainingResult:
        checkpoint = self._checkpoints.latest()
        first = 0 if checkpoint is None else checkpoint.epoch
        self.heartbeat.epoch = first
        if first != self.lease.epoch:
            self._patiently(lambda: self.store.jobs.start(self.lease, first))
        self.worker.pace.start()
        try:
            return TRAINERS[self.run.trainer].train(self._assignment, checkpoint)
        finally:
            self.worker.pace.end()

    def _epoch_ended(self, report: EpochReport) -> None:
        self.worker.pace.epoch_ended(self._assignment.recipe.train_images)
        self.heartbeat.epoch = report.epoch
        if not self.heartbeat.lost:
            self._checkpoints.after_epoch(report)
        self.on_epoch(self.lease, report)

    def _written(self, result: TrainingResult) -> JobOutcome:
        """Write the result, if need be by way of the disk and as soon as the store is back.

        Whatever the store says but that the lease is lost, the result stays on disk until then.
        """
        kept: Path | None = None
        try:
            self.store.results.complete(self.lease, result)
        except LeaseLost:
            raise
        except StoreError as error:
            logger.warning("the result of job %s has to wait: %s", self.lease.arch_index, error)
            self.on_outage()
            kept = self._kept(result)
            try:
                self._patiently(lambda: self.store.results.complete(self.lease, result))
            except StoreUnavailable:
                if kept is None:
                    raise
                return self._ended(Ending.KEPT, result=result)
            except LeaseLost:
                if kept is not None:
                    kept.unlink(missing_ok=True)
                raise
        self._checkpoints.drop()
        if kept is not None:
            kept.unlink(missing_ok=True)
        outcome = self._ended(Ending.COMPLETED, result=result)
        self._checkpoints.check()  # the result is safe, but the node's disk is not as it should be
        return outcome

    def _kept(self, result: TrainingResult) -> Path | None:
        outbox = Outbox(self.worker.settings.checkpoint_dir, self.store)
        try:
            return outbox.keep(self.lease, result)
        except OSError as error:
            logger.error("the result of job %s is in memory only: %s", self.lease.arch_index, error)
            return None
