"""From a run in the store to the files of a release."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from blox_core.atomic_file import replace_file
from blox_core.space import SPACE_SIZE
from blox_store.export.card import write_card
from blox_store.export.card_picture import PICTURE_FILE
from blox_store.export.chosen_jobs import Choice, ChosenJobs, ExportReport
from blox_store.export.latencies import device_entries, latency_sources
from blox_store.export.neighbours import NewFiles, check_architectures, check_neighbours
from blox_store.export.seed_figures import FiguresBuilder, SeedFigures
from blox_store.export.tables import ReleaseTable, result_tables
from blox_store.release.names import FORMATS
from blox_store.release.table import Table
from blox_store.release.writer import write_blocks
from blox_store.release_folder import staging
from blox_store.release_folder.manifest import MANIFEST_FILE, FileEntry, Trainings, describe_file
from blox_store.store import ResultBlock, Run, Snapshot, Store

# Takes the rows that are done, counted in every pass, and how many there are.
Report: TypeAlias = Callable[[int, int], None]


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
    with store.snapshot() as snapshot:
        jobs = ChosenJobs(run, snapshot.job_indices(run.id), choice)
        with staging.building_folder(out) as building:
            done = _Export(snapshot, jobs, out, building, tuple(formats), report).write()
            staging.publish(building, out)
            if not done.has_picture:
                (out / PICTURE_FILE).unlink(missing_ok=True)  # of the release before
    return done


@dataclass(frozen=True)
class _Export:
    """One export under way: from a snapshot into a building folder."""

    snapshot: Snapshot
    jobs: ChosenJobs
    out: Path
    building: Path
    formats: tuple[str, ...]
    report: Report | None

    def write(self) -> ExportReport:
        """Write all files into the building folder; return what there is once it is published."""
        jobs, run = self.jobs, self.jobs.run
        tables = result_tables(self.snapshot, jobs)
        latencies = latency_sources(self.snapshot, jobs)
        tables += [source.table() for source in latencies]
        new = NewFiles(
            trainings=_trainings_of(run),
            seed=run.seed,
            simulated=jobs.choice.simulated,
            names=[table.file_name(format) for table in tables for format in self.formats],
        )
        staying = check_neighbours(self.out, new)
        seed = jobs.seed_entry(self.snapshot.environment_count(jobs.selection))
        check_architectures(self.out, staying, seed)
        progress = ExportProgress(self._rows_to_go(tables), self.report)
        figures = self._summarise(tables, progress)
        files = [
            self._write(table, format, progress) for table in tables for format in self.formats
        ]
        progress.finish()
        measured = self.snapshot.measured_devices(jobs.choice.indices)
        manifest = staying.with_export(seed, files, device_entries(measured, latencies))
        unpredicted = {one.device: one.unpredicted for one in latencies if one.unpredicted}
        has_picture = write_card(self.building, self.out, manifest, figures, [*unpredicted])
        if jobs.choice.simulated:
            staging.write_marker(self.building, run)
        replace_file(self.building / MANIFEST_FILE, [manifest.to_json()])
        paths = [self.out / file.name for file in files]
        return jobs.report(paths, has_picture=has_picture, unpredicted=[*unpredicted.values()])

    def _rows_to_go(self, tables: list[ReleaseTable]) -> int:
        """Return the rows that are gone through: once to summarise, and once for each file."""
        choice, finished = self.jobs.choice, len(self.jobs.rows)
        of_all = {
            "info": SPACE_SIZE if choice.static == "all" else finished,
            "bench": len(choice.indices) if choice.predicted else finished,
        }
        rows = [of_all.get(table.kind, finished) for table in tables]
        return finished + sum(rows) * len(self.formats)

    def _summarise(self, tables: list[ReleaseTable], progress: ExportProgress) -> SeedFigures:
        """Go through all rows for the first time; return what the dataset card shows of them."""
        figures = FiguresBuilder(self.jobs.run)
        for source, group in groupby(tables, lambda table: table.source):
            of_source = list(group)
            with closing(source.blocks()) as blocks:
                for block in blocks:
                    for table in of_source:
                        table.add(block)
                    figures.add(block)
                    if isinstance(block, ResultBlock):
                        progress.advance(len(block))
        return figures.figures()

    def _write(self, table: ReleaseTable, format: str, progress: ExportProgress) -> FileEntry:
        path = self.building / table.file_name(format)
        with closing(_rows(table, progress)) as blocks, table.named_in_errors():
            write_blocks(path, format, table.summary, blocks)
        return describe_file(path, table.summary.rows)


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


def _rows(table: ReleaseTable, progress: ExportProgress) -> Generator[Table, None, None]:
    """Yield the rows of a table, and count those that have been taken."""
    with closing(table.source.blocks()) as blocks:
        for block in blocks:
            rows = table.rows(block)
            yield rows
            progress.advance(len(rows))


def _trainings_of(run: Run) -> Trainings:
    """Return how the trainings of a run are made."""
    return Trainings(
        dataset=run.dataset,
        trainer=run.trainer,
        trainer_revision=run.trainer_revision,
        recipe_fingerprint=run.recipe_fingerprint,
        recipe=run.recipe.to_dict(),
    )
