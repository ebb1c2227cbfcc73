"""How a job ended here, in words."""

from __future__ import annotations

from blox_core.recipe import Recipe
from blox_store.store import Run
from blox_worker.job.attempt import JobOutcome
from blox_worker.wording import describe, describe_measurement, result_in_short


def describe_ending(outcome: JobOutcome, run: Run) -> str:
    """Return how a job ended, with what came out of it or what was wrong."""
    if outcome.measurement is not None:
        return describe_measurement(outcome.measurement)
    if outcome.result is not None:
        return describe(outcome.result, Recipe.from_dict(run.recipe))
    return outcome.ending.value + (f": {outcome.error}" if outcome.error else "")


def ending_in_short(outcome: JobOutcome, run: Run) -> str:
    """Return how a job ended as it fits into a column."""
    if outcome.result is None:
        return describe_ending(outcome, run)
    return result_in_short(outcome.result, Recipe.from_dict(run.recipe))
