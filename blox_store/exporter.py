"""From a run in the store to the files of a release."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blox_core.atomic_file import sync_folder
from blox_core.trainer_revision import TORCH
from blox_store.errors import ExportRefused, NotEncodable
from blox_store.release.names import FORMATS, file_name
from blox_store.release.writer import write_table
from blox_store.release_neighbours import check_neighbours
from blox_store.release_tables import ReleaseTable, release_tables
from blox_store.simulated_marker import write_marker
from blox_store.store import JobState, Run, Store

_UNFINISHED = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote: its files, how many architectures, and the indices that it left out."""

    files: tuple[Path, ...]
    architectures: int
    diverged: tuple[int, ...]
    failed: tuple[int, ...]
    unfinished: tuple[int, ...]


def export(
    store: Store,
    run: Run,
    out: Path,
    *,
    formats: Sequence[str] = FORMATS,
    allow_partial: bool,
    simulated: bool = False,
) -> ExportReport:
    """Write a run's finished architectures into the folder `out`, all files from one state.

    Files that are there are moved over, one after the other, once all new ones are complete; an
    export that fails before changes none. Diverged and failed architectures are left out. A
    simulated run needs `simulated`, and its folder is marked before the first file is there. Raises
    ExportRefused if nothing has finished, if jobs are unfinished and `allow_partial` is false, if
    `simulated` is not what the run is, or if the new files would spoil what is in the folder
    (`check_neighbours`); NotEncodable for a value that the format cannot hold.
    """
    _check_trainer(run, simulated)
    with store.snapshot() as connection:
        states = store.jobs.indices(connection, run.id)
        unfinished = sorted(index for state in _UNFINISHED for index in states[state])
        _check_finished(run, states, unfinished, allow_partial)
        tables = release_tables(store, connection, run)
    files = _write(out, run, tables, formats, simulated)
    return ExportReport(
        files=files,
        architectures=len(states[JobState.SUCCEEDED]),
        diverged=tuple(states[JobState.DIVERGED]),
        failed=tuple(states[JobState.FAILED]),
        unfinished=tuple(unfinished),
    )


def _check_trainer(run: Run, simulated: bool) -> None:
    """Let nobody take made-up figures for real ones, or the other way round."""
    if run.trainer != TORCH and not simulated:
        raise ExportRefused(
            f"{run}: nothing of it was trained, its figures are made up by a simulation; choose a "
            f"run of trainer {TORCH} by --run, or rehearse a release by --simulated"
        )
    if run.trainer == TORCH and simulated:
        raise ExportRefused(
            f"{run}: it was really trained, and --simulated is for runs that were not; leave it out"
        )


def _check_finished(
    run: Run, states: dict[JobState, list[int]], unfinished: list[int], allow_partial: bool
) -> None:
    if not states[JobState.SUCCEEDED]:
        raise ExportRefused(
            f"{run}: none of its {sum(map(len, states.values()))} jobs has finished, so there is "
            "nothing to export; train it by 'blox train --local'"
        )
    if unfinished and not allow_partial:
        raise ExportRefused(
            f"{run}: {len(unfinished)} of its {sum(map(len, states.values()))} jobs are "
            "unfinished; train them, or export the rest by --allow-partial"
        )


def _write(
    out: Path, run: Run, tables: list[ReleaseTable], formats: Sequence[str], simulated: bool
) -> tuple[Path, ...]:
    names = {
        file_name(table.kind, seed=table.seed, device=table.device, format=format): (table, format)
        for table in tables
        for format in formats
    }
    check_neighbours(out, tables, names, simulated=simulated)
    with _building_folder(out) as building:
        for name, (table, format) in names.items():
            _write_table(table, building / name, format)
        if simulated:
            write_marker(out, run)
        files = tuple((building / name).replace(out / name) for name in names)
    sync_folder(out)
    return files


def _write_table(table: ReleaseTable, path: Path, format: str) -> None:
    try:
        write_table(table.table, path, format)
    except NotEncodable as error:
        rows = f"rows are counted from 0 by arch index, {len(table.table)} in all"
        raise NotEncodable(f"{path.name}: {error} ({rows}); nothing was written") from error


@contextmanager
def _building_folder(out: Path) -> Iterator[Path]:
    """Give a folder inside `out`, on the same file system; one made in vain goes with it."""
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".export-", dir=out))
    except OSError as error:
        raise ExportRefused(f"folder {out} cannot be written to: {error.strerror}") from error
    try:
        yield building
    finally:
        shutil.rmtree(building)
        if is_new and not any(out.iterdir()):
            out.rmdir()
