"""What a person sees of a training: a progress bar on a terminal, a line for every job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from blox_core.result.epoch_report import EpochReport
from blox_store.store import Job, Lease, Run
from blox_worker.job.outcome import Ending, JobOutcome, describe_outcome
from blox_worker.wording import name_of, percent

_ETA_WINDOW_S = 3600.0  # architectures differ in cost; a short window would make the ETA jump


class Display:
    """Follows the local loop over these jobs of a run; its bar counts epochs, or measurements."""

    def __init__(self, jobs: Sequence[Job], run: Run, *, console: Console | None = None) -> None:
        self._console = console or Console(markup=False)
        self._run = run
        self._epochs = run.epochs
        self._jobs = len(jobs)
        self._ended = {job.arch_index for job in jobs if job.state.ended}
        self._open = {job.arch_index: job.epoch for job in jobs if not job.state.ended}
        self._progress = Progress(
            TextColumn("{task.fields[jobs]}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("measured, ETA" if run.measures else "epochs, ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            speed_estimate_period=_ETA_WINDOW_S,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        if self._ended:
            self._console.print(f"{len(self._ended)} of {self._jobs} jobs had ended before")
        self._progress.start()
        self._task = self._progress.add_task("", total=self._jobs * self._epochs, jobs="")
        self._show("")
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()

    def epoch_ended(self, lease: Lease, report: EpochReport) -> None:
        """Move the bar."""
        self._open[lease.arch_index] = report.epoch
        val = percent(report.metrics.val.top1, self._run.training_recipe.val_images)
        name = name_of(lease.arch_index)
        self._show(f"{name} epoch {report.epoch}/{report.epochs}, val {val}")

    def job_ended(self, outcome: JobOutcome) -> None:
        """Print how a job ended."""
        if outcome.ending in (Ending.COMPLETED, Ending.FAILED):
            self._open.pop(outcome.arch_index, None)
            self._ended.add(outcome.arch_index)
        line = f"{name_of(outcome.arch_index)} {describe_outcome(outcome, self._run)}"
        self._console.print(line, highlight=False, markup=False)
        self._show("")

    def waiting(self, running: int, pending: int) -> None:
        """Say what is waited for."""
        self._show(f"waiting: {running} jobs held by other workers, {pending} to be tried again")

    def _show(self, description: str) -> None:
        done = len(self._ended) * self._epochs + sum(self._open.values())
        self._progress.update(
            self._task,
            completed=done,
            description=description,
            jobs=f"{len(self._ended)}/{self._jobs} jobs",
        )
