"""Reading one release file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from blox_store.dataset import table_of
from blox_store.release.reader import read_header

__all__ = ["read_dataset_file"]


def read_dataset_file(
    path: str | PathLike[str], fast: bool = True
) -> tuple[dict[str, Any], list[list[Any]]]:
    """Return the header of a release file and its rows as lists of plain values.

    A file named `.pickle` is read by an unpickler that admits plain values only. `fast` is
    accepted for the sake of existing code; there is one reader. Raises ReleaseMissing,
    ReleaseCorrupt, and PickleNotAllowed for a pickle under another name.
    """
    file = Path(path)
    return read_header(file), table_of(file).rows()
