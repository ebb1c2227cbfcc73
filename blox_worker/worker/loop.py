"""The local loop: no broker; claims the jobs of a run until all have ended."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Final

from blox_store.errors import StoreError
from blox_store.store import JobState, NoClaim, Run, Store
from blox_worker.errors import DeviceBusy
from blox_worker.job.job import run_job
from blox_worker.job.outcome import JobOutcome, Worker
from blox_worker.on_disk.outbox import clear_leftovers
from blox_worker.patience import patiently, unless_stopped
from blox_worker.reaper import Reaper
from blox_worker.worker.display import Display
from blox_worker.worker.suspicion import FailureStreak, stop_claiming

_MIN_WAIT_S: Final = 0.1
_MAX_WAIT_S: Final = 5.0  # other workers on the same store may end or give back jobs meanwhile


def train_locally(
    store: Store, run: Run, *, worker: Worker, stop: threading.Event, audience: Display
) -> bool:
    """Run the jobs of a run until all have ended or a stop is requested; return whether all have.

    Outages of the store are waited out. Raises StoreError if the run is paused or of another
    trainer revision, WorkerSuspected after too many failures in a row, and what `run_job` raises.
    """
    settings = worker.settings
    reaper = Reaper(store, lease_s=settings.lease_s, max_attempts=settings.max_attempts)

    def clear() -> None:
        folder = settings.checkpoint_dir
        patiently(lambda: clear_leftovers(folder, store), stop=stop, on_outage=reaper.wait)

    with suppress(DeviceBusy), unless_stopped(stop):
        clear()
        all_ended = _train(store, run, worker, stop, audience, reaper)
        clear()
        return all_ended
    return False


def _train(
    store: Store,
    run: Run,
    worker: Worker,
    stop: threading.Event,
    audience: Display,
    reaper: Reaper,
) -> bool:
    """Claim and train until a stop, or until all jobs have ended; return whether they have."""
    streak = FailureStreak(limit=worker.settings.max_faults_in_a_row)
    while not stop.is_set():
        patiently(reaper.reap, stop=stop, on_outage=reaper.wait)
        outcome = run_job(
            store,
            run,
            worker=worker,
            stop=stop,
            on_epoch=audience.epoch_ended,
            on_outage=reaper.wait,
        )
        if isinstance(outcome, JobOutcome):
            audience.job_ended(outcome)
            streak.note(outcome)
            if streak.is_too_long:
                raise patiently(lambda: stop_claiming(store, worker.name, streak), stop=stop)
        elif outcome is not NoClaim.NOTHING_DUE:
            raise StoreError(_refusal(run, outcome))
        elif not patiently(lambda: _wait(store, run, worker, stop, audience), stop=stop):
            return True
    return False


def _wait(store: Store, run: Run, worker: Worker, stop: threading.Event, audience: Display) -> bool:
    """Wait until a job may be due, and return False if none will be."""
    change_s = store.jobs.next_change_s(run.id, worker=worker.name)
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
        NoClaim.PAUSED: f"let it go on by 'blox resume --run {run.id}'",
        NoClaim.OTHER_REVISION: "install the version of Blox that made it, or make a new run by "
        "'blox init'",
        NoClaim.OTHER_RUN: "see 'blox status', and run the same command again",
        NoClaim.UNKNOWN: "the store has no such run any more, see 'blox status'",
    }
    return f"{run}: {reason.value}; {advice[reason]}"
