"""From a run in the store to the files of a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from blox_core.atomic_file import replace_file
from blox_core.result.trainer_revision import TORCH
from blox_core.space import SPACE_SIZE
from blox_core.space.index_spans import spans
from blox_store.errors import ExportRefused, NotEncodable
from blox_store.export.card import write_card
from blox_store.export.card_picture import PICTURE_FILE
from blox_store.export.device_entries import device_entries
from blox_store.export.neighbours import NewFiles, check_architectures, check_neighbours
from blox_store.export.progress import ExportProgress, Report
from blox_store.export.seed_figures import FiguresBuilder, SeedFigures
from blox_store.export.tables import (
    ReleaseTable,
    Rows,
    RunSource,
    Static,
    release_tables,
    training_block,
)
from blox_store.release.names import FORMATS, file_name
from blox_store.release.table import Table
from blox_store.release.writer import write_blocks
from blox_store.release_folder import staging
from blox_store.release_folder.manifest import (
    MANIFEST_FILE,
    DeviceEntry,
    FileEntry,
    SeedEntry,
    Trainings,
    describe_file,
)
from blox_store.store import JobState, Run, Selection, Store

_UNFINISHED: Final = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
EVERYTHING: Final = range(SPACE_SIZE)


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


def export(
    store: Store,
    run: Run,
    out: Path,
    *,
    formats: Sequence[str] = FORMATS,
    choice: Choice,
    report: Report | None = None,
) -> ExportReport:
    """Write a run's finished architectures into the folder `out`, all files from one state.

    Rows are streamed twice, so that memory does not grow with their number. An export that fails
    changes nothing; one that is killed leaves the old release, or files that the next export
    completes (`staging`). Raises ExportRefused if nothing has finished, if jobs are unfinished and
    that is not allowed, if the run is not simulated as `choice` has it, or if the new files would
    spoil what is in the folder (`check_neighbours`); NotEncodable for a value that no type holds.
    """
    _check_trainer(run, choice.simulated)
    with store.snapshot() as snapshot:
        states = _States(snapshot.job_indices(run.id), choice)
        states.check(run)
        source = RunSource(
            snapshot=snapshot,
            selection=Selection(run=run, statuses=states.statuses, indices=choice.indices),
            static=choice.static,
            predicted=choice.predicted,
        )
        with staging.building_folder(out) as building:
            export = _Export(source, out, building, tuple(formats), choice, report)
            done = export.write(states)
            staging.publish(building, out)
            if not done.has_picture:
                (out / PICTURE_FILE).unlink(missing_ok=True)  # of the release before
    return done


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


class _States:
    """The chosen jobs of a run by their states."""

    def __init__(self, found: dict[JobState, list[int]], choice: Choice) -> None:
        chosen = choice.indices
        self._found = {state: [i for i in found[state] if i in chosen] for state in JobState}
        self._choice = choice

    def of(self, *states: JobState) -> list[int]:
        return sorted(index for state in states for index in self._found[state])

    @property
    def unfinished(self) -> list[int]:
        return self.of(*_UNFINISHED)

    @property
    def written(self) -> tuple[JobState, ...]:
        """The states of jobs whose results get rows."""
        diverged = (JobState.DIVERGED,) if self._choice.include_diverged else ()
        return (JobState.SUCCEEDED, *diverged)

    @property
    def statuses(self) -> tuple[str, ...]:
        return tuple(state.value for state in self.written)

    @property
    def rows(self) -> list[int]:
        return self.of(*self.written)

    def check(self, run: Run) -> None:
        """Raise ExportRefused unless there is something to export, and all that has to be."""
        jobs, chosen = sum(map(len, self._found.values())), self._choice.indices
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
        if self.unfinished and not self._choice.allow_partial:
            raise ExportRefused(
                f"{run}: {len(self.unfinished)} of its {jobs} jobs are unfinished; train them, or "
                "export the rest by --allow-partial"
            )

    def report(
        self, files: list[Path], has_picture: bool, unpredicted: Mapping[str, str]
    ) -> ExportReport:
        """Return what an export of these jobs wrote and left out."""
        left_out = () if self._choice.include_diverged else self.of(JobState.DIVERGED)
        return ExportReport(
            files=tuple(files),
            architectures=len(self.rows),
            diverged=tuple(left_out),
            failed=tuple(self.of(JobState.FAILED)),
            unfinished=tuple(self.unfinished),
            has_picture=has_picture,
            unpredicted=tuple(unpredicted.values()),
        )


class _Export:
    """One export under way: from a snapshot into a building folder."""

    def __init__(
        self,
        source: RunSource,
        out: Path,
        building: Path,
        formats: tuple[str, ...],
        choice: Choice,
        report: Report | None,
    ) -> None:
        self._source = source
        self._out = out
        self._building = building
        self._formats = formats
        self._choice = choice
        self._report = report

    def write(self, states: _States) -> ExportReport:
        """Write all files into the building folder; return what there is once it is published."""
        run = self._source.run
        tables = release_tables(self._source)
        new = NewFiles(
            trainings=trainings_of(run),
            seed=run.seed,
            simulated=self._choice.simulated,
            names=[_name(table, format) for table in tables for format in self._formats],
        )
        staying = check_neighbours(self._out, new)
        seed = self._seed_entry(states)
        check_architectures(self._out, staying, seed)
        progress = ExportProgress(self._rows_to_go(len(states.rows), tables), self._report)
        figures = self._summarise(tables, progress)
        files = [
            self._write(table, format, progress) for table in tables for format in self._formats
        ]
        progress.finish()
        manifest = staying.with_export(seed, files, self._device_entries(tables))
        unpredicted = {
            table.device or "": table.unpredicted for table in tables if table.unpredicted
        }
        has_picture = write_card(self._building, self._out, manifest, figures, [*unpredicted])
        if self._choice.simulated:
            staging.write_marker(self._building, run)
        replace_file(self._building / MANIFEST_FILE, [manifest.to_json()])
        return states.report([self._out / file.name for file in files], has_picture, unpredicted)

    def _rows_to_go(self, finished: int, tables: list[ReleaseTable]) -> int:
        """Return the rows that are gone through: once to summarise, and once for each file."""
        of_all = {
            "info": SPACE_SIZE if self._choice.static == "all" else finished,
            "bench": len(self._choice.indices) if self._choice.predicted else finished,
        }
        rows = [of_all.get(table.kind, finished) for table in tables]
        return finished + sum(rows) * len(self._formats)

    def _seed_entry(self, states: _States) -> SeedEntry:
        diverged, failed = states.of(JobState.DIVERGED), states.of(JobState.FAILED)
        succeeded = states.of(JobState.SUCCEEDED)
        missing = sorted({*EVERYTHING} - {*succeeded, *diverged, *failed})
        sets = {
            "succeeded": succeeded,
            "diverged": diverged,
            "failed": failed,
            "missing": missing,
        }
        source = self._source
        return SeedEntry(
            seed=source.run.seed,
            code_version=metadata.version("blox"),
            environments=source.snapshot.environment_count(source.selection),
            includes_diverged=self._choice.include_diverged,
            counts={name: len(indices) for name, indices in sets.items()},
            indices=spans(states.rows),
            diverged=spans(diverged),
            failed=spans(failed),
            missing=spans(missing),
        )

    def _device_entries(self, tables: list[ReleaseTable]) -> list[DeviceEntry]:
        source = self._source
        measured = source.snapshot.measured_devices(source.selection.indices)
        found = {table.device or "": table.prediction for table in tables}
        predictions = {device: one for device, one in found.items() if one is not None}
        return device_entries(measured, predictions)

    def _summarise(self, tables: list[ReleaseTable], progress: ExportProgress) -> SeedFigures:
        """Go through all rows for the first time; return what the dataset card shows of them."""
        figures = FiguresBuilder(self._source.run.recipe)
        trainings = [table for table in tables if table.kind in ("base", "ext")]
        with closing(self._source.results()) as blocks:
            for block in blocks:
                figures.add_results(block)
                for table in trainings:
                    _summarise(table, training_block(table.header, self._source.run, block))
                progress.advance(len(block))
        for table in tables:
            if table in trainings:
                continue
            with closing(table.blocks()) as several:
                for rows in several:
                    _summarise(table, rows)
                    if table.kind == "info":
                        figures.add_costs(rows)
        return figures.figures()

    def _write(self, table: ReleaseTable, format: str, progress: ExportProgress) -> FileEntry:
        path = self._building / _name(table, format)
        try:
            with closing(_counted(table.blocks(), progress)) as blocks:
                write_blocks(path, format, table.summary, blocks)
        except NotEncodable as error:
            raise _located(error, table) from error
        return describe_file(path, table.summary.rows)


def trainings_of(run: Run) -> Trainings:
    """Return how the trainings of a run are made."""
    return Trainings(
        dataset=run.dataset,
        trainer=run.trainer,
        trainer_revision=run.trainer_revision,
        recipe_fingerprint=run.recipe_fingerprint,
        recipe=run.recipe,
    )


def _name(table: ReleaseTable, format: str) -> str:
    return file_name(table.kind, seed=table.seed, device=table.device, format=format)


def _summarise(table: ReleaseTable, block: Table) -> None:
    try:
        table.summary.add(block)
    except NotEncodable as error:
        raise _located(error, table) from error


def _located(error: NotEncodable, table: ReleaseTable) -> NotEncodable:
    stem = _name(table, "blox").removesuffix(".blox")
    return NotEncodable(f"{stem}: {error} (rows are counted from 0 by arch index); nothing written")


def _counted(blocks: Rows, progress: ExportProgress) -> Rows:
    for block in blocks:
        yield block
        progress.advance(len(block))
