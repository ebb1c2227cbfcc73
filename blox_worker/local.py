"""The local loop: no broker, one process; claims the jobs of a run until all have ended."""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

from blox_core.trainer import EpochReport
from blox_store.errors import StoreError
from blox_store.store import JobState, Lease, NoClaim, Run, Store
from blox_worker.job import JobOutcome, Worker, run_job

_MIN_WAIT_S: Final = 0.1
_MAX_WAIT_S: Final = 5.0  # other workers on the same store may end or give back jobs meanwhile


class Audience(Protocol):
    """Who is told how the loop goes on."""

    def epoch_ended(self, lease: Lease, report: EpochReport) -> None:
        """Hear of a finished epoch."""

    def job_ended(self, outcome: JobOutcome) -> None:
        """Hear of a job that ended here."""

    def waiting(self, running: int, pending: int) -> None:
        """Hear that no job is due, while others hold some or some are to be tried again."""


class Reaper:
    """Ends expired leases, but first lets one whole lease pass for living workers to renew them."""

    def __init__(self, store: Store, *, lease_s: float, max_attempts: int) -> None:
        self._store = store
        self._max_attempts = max_attempts
        self._lease_s = lease_s
        self.wait()

    def wait(self) -> None:
        """Let one whole lease pass from now on, as after an outage of the store."""
        self._ready_at = time.monotonic() + self._lease_s

    def reap(self) -> None:
        """End the expired leases, once the time for it has come."""
        if time.monotonic() >= self._ready_at:
            self._store.jobs.reap(max_attempts=self._max_attempts)


def train_locally(
    store: Store, run: Run, *, worker: Worker, stop: threading.Event, audience: Audience
) -> bool:
    """Run the jobs of a run until all have ended or a stop is requested; return whether all have.

    Raises StoreError if the run is paused or of another trainer revision, and what `run_job`
    raises.
    """
    settings = worker.settings
    reaper = Reaper(store, lease_s=settings.lease_s, max_attempts=settings.max_attempts)
    while not stop.is_set():
        reaper.reap()
        outcome = run_job(
            store, run, worker=worker, should_stop=stop.is_set, on_epoch=audience.epoch_ended
        )
        if isinstance(outcome, JobOutcome):
            audience.job_ended(outcome)
            if outcome.saw_outage:
                reaper.wait()
        elif outcome is not NoClaim.NOTHING_DUE:
            raise StoreError(_refusal(run, outcome))
        elif not _wait(store, run, stop, audience):
            return True
    return False


def _wait(store: Store, run: Run, stop: threading.Event, audience: Audience) -> bool:
    """Wait until a job may be due, and return False if none will be."""
    change_s = store.jobs.next_change_s(run.id)
    if change_s is None:
        return False
    counts = store.jobs.counts(run.id)
    audience.waiting(
        running=counts[JobState.RUNNING],
        pending=counts[JobState.PENDING] + counts[JobState.QUEUED],
    )
    stop.wait(min(max(change_s, _MIN_WAIT_S), _MAX_WAIT_S))
    return True


def _refusal(run: Run, reason: NoClaim) -> str:
    advice = {
        NoClaim.PAUSED: "wait until it goes on",
        NoClaim.OTHER_REVISION: "install the version of Blox that made it, or make a new run by "
        "'blox init'",
        NoClaim.UNKNOWN: "the store has no such run any more, see 'blox status'",
    }
    return f"{run}: {reason.value}; {advice[reason]}"
