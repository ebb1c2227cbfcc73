"""An attempt at a claimed job: whoever makes it, however it ends, the store is told."""

from __future__ import annotations

import logging
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

from blox_core.latency import LatencyMeasurement
from blox_core.recipe import Recipe
from blox_core.result import TrainingResult
from blox_core.result.epoch_report import EpochReport
from blox_store.errors import LeaseLost, StoreError, StoreUnavailable
from blox_store.store import JobState, Lease, Run, Store
from blox_worker.job.blame import is_node_fault
from blox_worker.job.heartbeat import Heartbeat
from blox_worker.job.pace import Pace
from blox_worker.job_log import log_job
from blox_worker.patience import patiently
from blox_worker.settings import WorkerSettings
from blox_worker.wording import describe, describe_measurement

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
    """Who trains or measures, on which torch device, by which settings, and how fast it does just now."""

    name: str
    device: str
    settings: WorkerSettings
    pace: Pace = field(default_factory=Pace, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """How a claimed job ended here, with its result or measurement if it came to its end.

    `failed_elsewhere` says of a job that failed that it had failed on another worker too, which
    clears this one.
    """

    run_id: int
    arch_index: int
    ending: Ending
    result: TrainingResult | None = None
    measurement: LatencyMeasurement | None = None
    error: str | None = None
    failed_elsewhere: bool = False


class Attempt(ABC):
    """One attempt at a claimed job; what is done with it is left to the kind of run."""

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

    @abstractmethod
    def _run_to_end(self, on_epoch: JobReport) -> JobOutcome:
        """Do the job and write what it gave; LeaseLost and all other errors may be raised."""

    def outcome(self, on_epoch: JobReport) -> JobOutcome:
        """Do the job and write what it gave; turn whatever happens into how it ended here."""
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
        measurement: LatencyMeasurement | None = None,
        error: str | None = None,
        failed_elsewhere: bool = False,
    ) -> JobOutcome:
        event, level = _EVENTS[ending]
        detail = error or ending.value
        if result is not None:
            detail = describe(result, Recipe.from_dict(self._run.recipe))
        if measurement is not None:
            detail = describe_measurement(measurement)
        log_job(self._lease, event, detail, level=level)
        return JobOutcome(
            run_id=self._lease.run_id,
            arch_index=self._lease.arch_index,
            ending=ending,
            result=result,
            measurement=measurement,
            error=error,
            failed_elsewhere=failed_elsewhere,
        )

    def _patiently(self, action: Callable[[], Answer]) -> Answer:
        return patiently(action, stop=self._stop, on_outage=self._on_outage)
