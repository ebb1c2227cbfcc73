"""What of a run is exported, and the jobs that this chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Final, Literal, TypeAlias

from blox_core.result.trainer_revision import TORCH
from blox_core.space import SPACE_SIZE
from blox_core.space.index_spans import spans
from blox_store.errors import ExportRefused
from blox_store.release_folder.manifest import SeedEntry
from blox_store.store import JobState, Run, Selection

_UNFINISHED: Final = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
EVERYTHING: Final = range(SPACE_SIZE)

# Of which architectures there are params and FLOPs: those with rows, or all 91,125.
Static: TypeAlias = Literal["finished", "all"]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What of a run is exported: arch indices, and whether unfinished or diverged are no hindrance.

    `include_diverged` gives diverged architectures rows, padded with NaN to the recipe's epochs.
    `static` says of which architectures params and FLOPs are written, whatever the arch indices;
    `predicted` gives latencies to those that were not measured, too, on devices where that can be.
    """

    indices: range = EVERYTHING
    allow_partial: bool = False
    include_diverged: bool = False
    simulated: bool = False
    static: Static = "finished"
    predicted: bool = False


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote: its data files, how many architectures, and the indices left out.

    `has_picture` is false where matplotlib is not installed. `unpredicted` says in words of which
    devices latencies could not be predicted, though they were to be, and why.
    """

    files: tuple[Path, ...]
    architectures: int
    diverged: tuple[int, ...]
    failed: tuple[int, ...]
    unfinished: tuple[int, ...]
    has_picture: bool
    unpredicted: tuple[str, ...] = ()


class ChosenJobs:
    """The chosen jobs of a run by their states; `found` are all of its jobs.

    Raises ExportRefused unless the run is simulated as `choice` has it, there is something to
    export, and all that has to be finished is.
    """

    def __init__(self, run: Run, found: Mapping[JobState, Sequence[int]], choice: Choice) -> None:
        _check_trainer(run, choice.simulated)
        self._found = {state: [i for i in found[state] if i in choice.indices] for state in found}
        self.run = run
        self.choice = choice
        self._check()

    def of(self, *states: JobState) -> list[int]:
        """Return the arch indices of the chosen jobs in any of these states."""
        return sorted(index for state in states for index in self._found[state])

    @cached_property
    def rows(self) -> list[int]:
        """The arch indices of the jobs whose results get rows."""
        return self.of(*self._written)

    @property
    def selection(self) -> Selection:
        """The results that get rows."""
        statuses = tuple(state.value for state in self._written)
        return Selection(run=self.run, statuses=statuses, indices=self.choice.indices)

    @property
    def _written(self) -> tuple[JobState, ...]:
        diverged = (JobState.DIVERGED,) if self.choice.include_diverged else ()
        return (JobState.SUCCEEDED, *diverged)

    def _check(self) -> None:
        run, jobs, chosen = self.run, sum(map(len, self._found.values())), self.choice.indices
        if not jobs:
            raise ExportRefused(
                f"{run}: it has no job with an arch index from {chosen.start} to "
                f"{chosen.stop - 1}; choose others by --start and --stop"
            )
        if not self.rows:
            raise ExportRefused(
                f"{run}: none of its {jobs} jobs has finished, so there is nothing to export; "
                "train it by 'blox train --local'"
            )
        unfinished = self.of(*_UNFINISHED)
        if unfinished and not self.choice.allow_partial:
            raise ExportRefused(
                f"{run}: {len(unfinished)} of its {jobs} jobs are unfinished; train them, or "
                "export the rest by --allow-partial"
            )

    def seed_entry(self, environments: int) -> SeedEntry:
        """Return what the manifest has of these jobs, trained in so many environments."""
        ended = (JobState.SUCCEEDED, JobState.DIVERGED, JobState.FAILED)
        sets = {state.value: self.of(state) for state in ended}
        sets["missing"] = sorted({*EVERYTHING} - {*self.of(*ended)})
        return SeedEntry(
            seed=self.run.seed,
            code_version=metadata.version("blox"),
            environments=environments,
            includes_diverged=self.choice.include_diverged,
            counts={name: len(indices) for name, indices in sets.items()},
            indices=spans(self.rows),
            diverged=spans(sets["diverged"]),
            failed=spans(sets["failed"]),
            missing=spans(sets["missing"]),
        )

    def report(
        self, files: Sequence[Path], *, has_picture: bool, unpredicted: Sequence[str]
    ) -> ExportReport:
        """Return what an export of these jobs wrote and left out."""
        left_out = [] if self.choice.include_diverged else self.of(JobState.DIVERGED)
        return ExportReport(
            files=tuple(files),
            architectures=len(self.rows),
            diverged=tuple(left_out),
            failed=tuple(self.of(JobState.FAILED)),
            unfinished=tuple(self.of(*_UNFINISHED)),
            has_picture=has_picture,
            unpredicted=tuple(unpredicted),
        )


def _check_trainer(run: Run, simulated: bool) -> None:
    """Let nobody take made-up figures for real ones, or the other way round."""
    if run.measures:
        raise ExportRefused(
            f"{run}: latencies go with the release of a run that trains; choose one by --run"
        )
    if run.trainer != TORCH and not simulated:
        raise ExportRefused(
            f"{run}: nothing of it was trained, its figures are made up by a simulation; choose a "
            f"run of trainer {TORCH} by --run, or rehearse a release by --simulated"
        )
    if run.trainer == TORCH and simulated:
        raise ExportRefused(
            f"{run}: it was really trained, and --simulated is for runs that were not; leave it out"
        )
