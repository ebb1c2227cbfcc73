"""Failures in a row: what tells a node on which every job fails from jobs that fail everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from blox_worker.attempt import Ending, JobOutcome


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
        if outcome.ending in (Ending.COMPLETED, Ending.KEPT):
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
