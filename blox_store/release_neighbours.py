"""What is in a release folder already, and whether a new export may join it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from blox_store.errors import ExportRefused
from blox_store.release.names import ReleaseFile, scan_folder
from blox_store.release.reader import read_table
from blox_store.release.table import Table
from blox_store.release_tables import ReleaseTable
from blox_store.simulated_marker import SIMULATED_FILE

_SAME_FACTS = ("dataset", "epochs")
_ADVICE = "give another folder"


def check_neighbours(
    out: Path, tables: Sequence[ReleaseTable], names: Iterable[str], *, simulated: bool
) -> None:
    """Raise ExportRefused if files of these names in `out` would spoil what is there.

    Names may not be those of folders; simulated files and real ones may not meet; older files of
    other formats may not stay beside the new ones; and other seeds have to be of the same data
    set, epochs, architectures and models, since they share `blox-info`.
    """
    if not out.is_dir():
        return
    written = [*names, SIMULATED_FILE]
    if blocked := [name for name in written if _is_no_file(out / name)]:
        raise ExportRefused(f"in folder {out}, {', '.join(blocked)} is no file; {_ADVICE}")
    files = scan_folder(out)
    _refuse_mixture(out, files, simulated)
    _refuse_other_formats(out, files, set(names))
    _refuse_other_releases(out, files, tables)


def _refuse_mixture(out: Path, files: list[ReleaseFile], simulated: bool) -> None:
    is_marked = (out / SIMULATED_FILE).exists()
    if is_marked and not simulated:
        raise ExportRefused(
            f"folder {out} is of a simulated release, as its file {SIMULATED_FILE} says, and these "
            f"figures are real; {_ADVICE}"
        )
    if files and simulated and not is_marked:
        raise ExportRefused(
            f"folder {out} has {files[0].path.name} of a real release, and these figures are "
            f"simulated; {_ADVICE}"
        )


def _refuse_other_formats(out: Path, files: list[ReleaseFile], names: set[str]) -> None:
    stems = {Path(name).stem for name in names}
    old = {file.path.name for file in files if file.path.stem in stems}
    if left := sorted(old - names):
        raise ExportRefused(
            f"folder {out} has {', '.join(left)} of an earlier export, which these formats would "
            f"leave as they are; add their formats to --formats, delete them, or {_ADVICE}"
        )


def _refuse_other_releases(
    out: Path, files: list[ReleaseFile], tables: Sequence[ReleaseTable]
) -> None:
    base = next(table for table in tables if table.kind == "base")
    others = [file for file in files if file.kind == "base" and file.seed != base.seed]
    for file in others:
        table = read_table(file.path, allow_pickle=True)
        for fact in _SAME_FACTS:
            if table.header[fact] != base.table.header[fact]:
                raise ExportRefused(
                    f"{file.path} has {fact} {table.header[fact]!r}, this export "
                    f"{base.table.header[fact]!r}; {_ADVICE}"
                )
        if _hashes(table) != _hashes(base.table):
            raise ExportRefused(
                f"{file.path} has {len(table)} architectures, this export {len(base.table)}, and "
                f"not the same: all seeds of a release have the same ones; {_ADVICE}"
            )
    info = next(table for table in tables if table.kind == "info")
    for file in files if others else []:
        if file.kind == "info" and _rows(read_table(file.path, allow_pickle=True)) != _rows(
            info.table
        ):
            raise ExportRefused(f"{file.path} describes other models than this export; {_ADVICE}")


def _is_no_file(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _hashes(table: Table) -> set[str]:
    return set(table.columns["model_hash"].values())


def _rows(table: Table) -> list[list[Any]]:
    return sorted(table.rows())
