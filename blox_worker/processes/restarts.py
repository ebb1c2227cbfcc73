"""Whether and when a child process that has died is started again: arithmetic alone."""

from __future__ import annotations

from typing import Final

from blox_worker.settings import WorkerSettings

MAX_WAIT_S: Final = 300.0


class Restarts:
    """The ends of one slot's child processes, one after the other.

    The wait doubles with every end in a row without progress, up to MAX_WAIT_S; after
    `max_faults_in_a_row` of them that are not blameless there is no next start.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._limit = settings.max_faults_in_a_row
        self._first_wait_s = min(settings.restart_backoff_s, MAX_WAIT_S)
        self._next_wait_s = self._first_wait_s
        self.in_a_row = 0

    def wait_s(self, *, progressed: bool, blameless: bool = False) -> float | None:
        """Take note of an end; return the seconds until the next start, None to give up."""
        if progressed:
            self.in_a_row = 0
            self._next_wait_s = self._first_wait_s
            return self._first_wait_s
        if not blameless:
            self.in_a_row += 1
        if self.in_a_row >= self._limit:
            return None
        wait_s = self._next_wait_s
        self._next_wait_s = min(2 * wait_s, MAX_WAIT_S)
        return wait_s
