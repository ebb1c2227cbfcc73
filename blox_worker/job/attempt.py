"""An attempt at a claimed job: whoever makes it, however it ends, the store is told."""

from __future__ import annotations

import logging
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from blox_core.latency import LatencyMeasurement
from blox_core.result import TrainingResult
from blox_store.errors import LeaseLost, StoreError, StoreUnavailable
from blox_store.store import JobState, Lease, Run, Store
from blox_worker.job.blame import is_node_fault
from blox_worker.job.heartbeat import Heartbeat
from blox_worker.job.outcome import Ending, JobOutcome, JobReport, Worker, describe_outcome
from blox_worker.job_log import log_job
from blox_worker.patience import patiently

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True, eq=False)
class Attempt(ABC):
    """One attempt at a claimed job; what is done with it is left to the kind of run.

    `on_epoch` and `on_outage` are called as `run_job` says.
    """

    store: Store
    run: Run
    lease: Lease
    worker: Worker
    heartbeat: Heartbeat
    stop: threading.Event
    on_epoch: JobReport
    on_outage: Callable[[], None]

    @abstractmethod
    def _run_to_end(self) -> JobOutcome:
        """Do the job and write what it gave; LeaseLost and all other errors may be raised."""

    def outcome(self) -> JobOutcome:
        """Do the job and write what it gave; turn whatever happens into how it ended here."""
        try:
            return self._run_to_end()
        except LeaseLost as error:
            return self._ended(Ending.LEASE_LOST, error=str(error))
        except Exception as error:
            if isinstance(error, StoreUnavailable) and self.stop.is_set():
                return self._ended(Ending.STOPPED, error=str(error))  # the lease will run out
            if is_node_fault(error):
                self._give_back(error)
                raise
            return self._failed(error)

    def _give_back(self, fault: Exception) -> None:
        """Leave the job to others for a while: this worker is the first to come back for it."""
        wait_s = self.worker.settings.retry_backoff_s
        with suppress(StoreError):  # what cannot be given back now runs out by itself
            self.store.jobs.release(self.lease, self.heartbeat.epoch, wait_s=wait_s)
            why = f"fault of the node: {type(fault).__name__}: {fault}"
            log_job(self.lease, "given back", why, level=logging.WARNING)

    def _failed(self, error: Exception) -> JobOutcome:
        """Count the attempt against the job."""
        lease, settings = self.lease, self.worker.settings
        try:
            state = self._patiently(
                lambda: self.store.jobs.fail(
                    lease,
                    "".join(traceback.format_exception(error)),
                    kind=type(error).__name__,
                    max_attempts=settings.max_attempts,
                    backoff_s=settings.retry_backoff_s * 2**lease.attempts,
                )
            )
            attempts = self._patiently(
                lambda: self.store.jobs.attempts(lease.run_id, lease.arch_index)
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

    def _stopped(self) -> JobOutcome:
        """Give the job back with the epoch that was reached."""
        self._patiently(lambda: self.store.jobs.release(self.lease, self.heartbeat.epoch))
        return self._ended(Ending.STOPPED)

    def _ended(
        self,
        ending: Ending,
        *,
        result: TrainingResult | LatencyMeasurement | None = None,
        error: str | None = None,
        failed_elsewhere: bool = False,
    ) -> JobOutcome:
        outcome = JobOutcome(
            run_id=self.lease.run_id,
            arch_index=self.lease.arch_index,
            ending=ending,
            result=result,
            error=error,
            failed_elsewhere=failed_elsewhere,
        )
        detail = error or describe_outcome(outcome, self.run)
        log_job(self.lease, ending.event, detail, level=ending.level)
        return outcome

    def _is_to_stop(self) -> bool:
        return self.stop.is_set() or self.heartbeat.lost

    def _patiently(self, action: Callable[[], Answer]) -> Answer:
        return patiently(action, stop=self.stop, on_outage=self.on_outage)
