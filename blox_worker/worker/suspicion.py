"""A worker on which job after job fails: it is suspected, stops claiming, and its jobs are cleared."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from blox_store.store import Store
from blox_worker.errors import WorkerSuspected
from blox_worker.job.outcome import Ending, JobOutcome

logger = logging.getLogger(__name__)


class FailureStreak:
    """The different jobs that failed on a worker, one after the other, and nowhere else so far.

    A job that is trained to the end breaks the streak. One that has failed on another worker too
    says nothing about this one.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._jobs: dict[tuple[int, int], str] = {}

    def note(self, outcome: JobOutcome) -> None:
        """Take into account how a job ended."""
        if outcome.ending.has_result:
            self._jobs.clear()
        elif outcome.ending in (Ending.RETRIED, Ending.FAILED) and not outcome.failed_elsewhere:
            self._jobs[outcome.run_id, outcome.arch_index] = outcome.error or ""

    @property
    def is_too_long(self) -> bool:
        """Whether the worker, rather than its jobs, is to be suspected."""
        return len(self._jobs) >= self._limit

    @property
    def jobs(self) -> Sequence[tuple[int, int]]:
        """The run and the arch index of each job of the streak."""
        return list(self._jobs)

    @property
    def reason(self) -> str:
        """Why the worker is suspected, in one line."""
        last = list(self._jobs.values())[-1]
        return f"{len(self._jobs)} different jobs in a row failed here alone, the last by {last}"


def stop_claiming(store: Store, worker: str, streak: FailureStreak) -> WorkerSuspected:
    """Record that a worker stops claiming, and return the error that says so.

    Jobs of the streak that another living worker takes are cleared of the attempts that this one
    charged them with. If it is alone, nobody can tell whose fault it was.
    """
    store.workers.stop(worker, streak.reason)
    others = {run_id: set(store.workers.living(run_id)) - {worker} for run_id in dict(streak.jobs)}
    jobs = [(run_id, index) for run_id, index in streak.jobs if others[run_id]]
    if jobs:
        cleared = store.jobs.forgive(worker, jobs)
        logger.warning("%s attempts on worker %s are not counted", cleared, worker)
    return WorkerSuspected(
        f"worker {worker} stops claiming: {streak.reason}; look at 'blox status' and "
        "'blox jobs --state failed', then start it again"
    )
