"""How a job ended here: for the log, for the queue, and in words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from blox_core.latency import LatencyMeasurement
from blox_core.recipe import Recipe
from blox_core.result import TrainingResult
from blox_core.result.epoch_report import EpochReport
from blox_store.store import Lease, Run
from blox_worker.job.pace import Pace
from blox_worker.settings import WorkerSettings
from blox_worker.wording import percent

JobReport = Callable[[Lease, EpochReport], None]


class Ending(Enum):
    """How a claimed job ended here; only COMPLETED and FAILED end it for good.

    `text` says so to people. `event` is what the log calls it, at `level`; `kind` is the event by
    which Celery tells of it.
    """

    COMPLETED = "completed", "finished", logging.INFO, "task-succeeded"
    KEPT = (
        "trained; the result is kept on disk until the store is back",
        "kept on disk",
        logging.WARNING,
        "task-succeeded",
    )
    STOPPED = "stopped", "given back", logging.INFO, "task-retried"
    RETRIED = "to be tried again", "failed", logging.WARNING, "task-retried"
    FAILED = "failed", "given up", logging.WARNING, "task-failed"
    LEASE_LOST = "lease lost", "lease lost", logging.WARNING, "task-retried"

    def __init__(self, text: str, event: str, level: int, kind: str) -> None:
        self.text = text
        self.event = event
        self.level = level
        self.kind = kind

    @property
    def has_result(self) -> bool:
        """Whether the job was trained, or measured, to its end."""
        return self in (Ending.COMPLETED, Ending.KEPT)


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
    result: TrainingResult | LatencyMeasurement | None = None
    error: str | None = None
    failed_elsewhere: bool = False


def describe_outcome(outcome: JobOutcome, run: Run) -> str:
    """Return how a job ended, with what came out of it or what was wrong."""
    if isinstance(outcome.result, LatencyMeasurement):
        return describe_measurement(outcome.result)
    if outcome.result is not None:
        return describe(outcome.result, run.training_recipe)
    return outcome.ending.text + (f": {outcome.error}" if outcome.error else "")


def outcome_in_short(outcome: JobOutcome, run: Run) -> str:
    """Return how a job ended as it fits into a column."""
    if isinstance(outcome.result, TrainingResult):
        return result_in_short(outcome.result, run.training_recipe)
    return describe_outcome(outcome, run)


def describe(result: TrainingResult, recipe: Recipe) -> str:
    """Return the result of a training in a few words."""
    if result.status == "diverged" or result.test is None or result.best_epoch is None:
        return f"diverged after {len(result.curves)} of {recipe.epochs} epochs"
    best = result.curves.val_top1[result.best_epoch - 1]
    return (
        f"val {percent(best, recipe.val_images)} (epoch {result.best_epoch}), "
        f"test {percent(result.test.top1, recipe.test_images)}, {result.train_time_s:.0f} s"
    )


def describe_measurement(measurement: LatencyMeasurement) -> str:
    """Return a measurement in a few words: `3.412 ms, half of 50 runs within 0.034 ms`."""
    steady = "" if measurement.stable else ", unstable"
    return (
        f"{measurement.median_ms:.3f} ms, half of {measurement.runs} runs within "
        f"{measurement.iqr_ms:.3f} ms{steady}"
    )


def result_in_short(result: TrainingResult, recipe: Recipe) -> str:
    """Return a result as it fits into a column: `val 71.2 test 70.9 in 612 s`."""
    if result.status == "diverged" or result.test is None or result.best_epoch is None:
        return describe(result, recipe)
    val = 100 * result.curves.val_top1[result.best_epoch - 1] / recipe.val_images
    test = 100 * result.test.top1 / recipe.test_images
    return f"val {val:.1f} test {test:.1f} in {result.train_time_s:.0f} s"


def epoch_in_short(report: EpochReport, recipe: Recipe) -> str:
    """Return how far a training is as it fits into a column: `epoch 57/200 val 64.3`."""
    val = 100 * report.metrics.val.top1 / recipe.val_images
    return f"epoch {report.epoch}/{report.epochs} val {val:.1f}"
