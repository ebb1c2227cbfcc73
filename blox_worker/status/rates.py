"""How far a run is, how fast it goes, and when it will be done: arithmetic alone."""

from __future__ import annotations

from typing import Final

RATE_WINDOW_S: Final = 3600.0
_HOUR_S: Final = 3600.0
_SHORTEST_SPAN_S: Final = 1.0  # workers that started together end their first jobs together


def rate_per_hour(ended: int, span_s: float) -> float | None:
    """Return jobs per hour, of `ended` jobs the first of which ended `span_s` seconds ago.

    The first one only starts the span. None where one job, or too short a span, says nothing yet.
    """
    if ended == 0:
        return 0.0
    if ended == 1 or span_s < _SHORTEST_SPAN_S:
        return None
    return (ended - 1) * _HOUR_S / span_s


def eta_s(jobs_left: float, rate: float | None) -> float | None:
    """Return the seconds until `jobs_left` jobs have ended, None where nobody can tell."""
    if jobs_left <= 0:
        return 0.0
    return jobs_left * _HOUR_S / rate if rate else None


def progress(jobs_left: float, jobs: int) -> float | None:
    """Return the share of the jobs that is done, 0 to 1, None where there is no job."""
    return 1 - jobs_left / jobs if jobs else None
