"""How far an export has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# Takes the rows that are done, counted in every pass, and how many there are.
Report: TypeAlias = Callable[[int, int], None]


class ExportProgress:
    """Counts the rows of all passes and reports them."""

    def __init__(self, total: int, report: Report | None) -> None:
        self._total = total
        self._done = 0
        self._report = report or (lambda done, total: None)
        self._report(0, total)

    def advance(self, rows: int) -> None:
        """Count rows that have been gone through."""
        self._done = min(self._done + rows, self._total)
        self._report(self._done, self._total)

    def finish(self) -> None:
        """Report that all rows are done; a device may have fewer latencies than expected."""
        self._done = self._total
        self._report(self._total, self._total)
