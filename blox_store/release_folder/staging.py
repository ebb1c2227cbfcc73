"""Putting new files into a release folder: whole, or so that it can be seen and finished later.

An export writes its files into a hidden folder of its own inside the release folder. Renaming that
to `.export-pending` decides: from then on the new release counts, and its files are moved to their
places, the manifest last. The next export moves what an interrupted one has left there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blox_core.atomic_file import replace_file, sync_folder
from blox_core.file_lock import try_lock
from blox_store.errors import ExportRefused
from blox_store.release.names import PENDING_FOLDER, SIMULATED_FILE
from blox_store.release_folder.manifest import MANIFEST_FILE

if TYPE_CHECKING:  # putting files into place needs no database
    from blox_store.store import Run

_BUILDING_PREFIX: Final = ".export-"
_LOCK_FILE: Final = ".export.lock"


@contextmanager
def building_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder inside `out`, on the same file system; nobody else exports meanwhile.

    What a killed export has left is finished or removed before. A folder `out` that was made in
    vain goes again. Raises ExportRefused if another process exports into it, or if it cannot be
    written to.
    """
    is_new = not out.exists()
    try:
        with _locked(out):
            building = _new_folder(out)
            try:
                yield building
            finally:
                shutil.rmtree(building, ignore_errors=True)  # published, it is gone already
    finally:
        if is_new and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def publish(building: Path, out: Path) -> None:
    """Let the files of a building folder take the places of those in `out`.

    Each has to be on disk. Killed at any moment, this leaves `out` as it was, or pending.
    """
    sync_folder(building)
    building.rename(out / PENDING_FOLDER)
    sync_folder(out)
    _finish(out)


def write_marker(out: Path, run: Run) -> None:
    """Mark the folder `out` as one of made-up figures; the mark is durable when this returns."""
    text = (
        "The figures in this folder are made up by a simulation of Blox: nothing was trained.\n"
        f"The last export was of {run}.\n"
    )
    replace_file(out / SIMULATED_FILE, [text.encode("utf-8")])


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system lets go when the process ends."""
    path = out / _LOCK_FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = try_lock(path, _opened)
    except OSError as error:
        raise _refusal(out, error) from error
    if handle is None:
        raise ExportRefused(
            f"another export is writing into folder {out}; wait for its end, or give another folder"
        )
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _new_folder(out: Path) -> Path:
    try:
        _finish(out)
        for left in out.glob(f"{_BUILDING_PREFIX}*/"):
            shutil.rmtree(left)  # nobody else holds the lock: its export is dead
        building = Path(tempfile.mkdtemp(prefix=_BUILDING_PREFIX, dir=out))
    except OSError as error:
        raise _refusal(out, error) from error
    return building


def _finish(out: Path) -> None:
    """Move what is left in the pending folder to its place."""
    pending = out / PENDING_FOLDER
    if not pending.is_dir():
        return
    for name in sorted((path.name for path in pending.iterdir()), key=_order):
        (pending / name).replace(out / name)
    sync_folder(out)
    pending.rmdir()
    sync_folder(out)


def _order(name: str) -> tuple[bool, bool, str]:
    """Order the mark of made-up figures before all files, the manifest after them."""
    return name != SIMULATED_FILE, name == MANIFEST_FILE, name


def _refusal(out: Path, error: OSError) -> ExportRefused:
    return ExportRefused(f"folder {out} cannot be written to: {error.strerror}")
