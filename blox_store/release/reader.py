"""Reading a release file of any format into a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from blox_store.errors import (
    NotEncodable,
    PickleNotAllowed,
    ReleaseCorrupt,
    ReleaseError,
    ReleaseMissing,
)
from blox_store.release import csv_payload, payload, unpickler
from blox_store.release.column_type import parse_type
from blox_store.release.header import MAX_READ_BYTES, split_header
from blox_store.release.rows import table_of_rows
from blox_store.release.table import Table


def read_header(path: Path) -> dict[str, Any]:
    """Return the full header of a release file, `format` and `column_types` included.

    Raises `ReleaseMissing` if there is no such file and `ReleaseCorrupt` if its header is not one.
    """
    with _opened(path) as file:
        return _header(file)


def read_table(path: Path, *, allow_pickle: bool = False) -> Table:
    """Read a release file; the header's `format` says how, not the file's name.

    Values are equal in all three formats, to the last bit. A pickle is read only if `allow_pickle`,
    and then by an unpickler that admits plain containers, strings and numbers only.
    Raises `ReleaseMissing`, `PickleNotAllowed`, or `ReleaseCorrupt` naming the path.
    """
    with _opened(path) as file:
        header = _header(file)
        if header["format"] == "pickle" and not allow_pickle:
            raise PickleNotAllowed(
                f"{path} is a pickle, and pickles are read only where asked for: read the .blox or "
                ".csv file, or list 'pickle' in preferred_ext"
            )
        return _table(header, file)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be read; what is wrong with it is raised as an error that names it."""
    try:
        with path.open("rb") as file:
            yield file
    except ReleaseCorrupt as error:
        raise ReleaseCorrupt(error.args[0], path=str(path), offset=error.offset) from error
    except NotEncodable as error:
        raise ReleaseCorrupt(str(error), path=str(path)) from error
    except ReleaseError:
        raise
    except OSError as error:
        raise ReleaseMissing(f"cannot read the release file {path}: {error.strerror}") from error


def _header(file: BinaryIO) -> dict[str, Any]:
    """Return the header of a file, which is left at the payload's beginning."""
    header, payload_at = split_header(file.read(MAX_READ_BYTES))
    file.seek(payload_at)
    return header


def _table(header: Mapping[str, Any], file: BinaryIO) -> Table:
    if header["format"] == "csv":
        return table_of_rows(header, csv_payload.read_rows(file.read(), header))
    if header["format"] == "pickle":
        rows = unpickler.load_plain(file.read())
        if not isinstance(rows, list):
            raise ReleaseCorrupt(f"the pickle holds a {type(rows).__name__}, not a list of rows")
        return table_of_rows(header, rows)
    types = {name: parse_type(header["column_types"][name]) for name in header["columns"]}
    columns = payload.decode(payload.inflate(file), types)
    kept = {key: value for key, value in header.items() if key not in ("format", "column_types")}
    return Table(header=kept, columns=columns)
