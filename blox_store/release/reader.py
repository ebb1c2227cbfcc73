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
from blox_store.release.columns.column_type import parse_type
from blox_store.release.formats import blox_payload, csv_payload, parquet_payload, pickle_payload
from blox_store.release.header import MAX_READ_BYTES, split_header
from blox_store.release.rows import table_of_blocks, table_of_rows
from blox_store.release.table import Table


def read_header(path: Path) -> dict[str, Any]:
    """Return the full header of a release file, `format` and `column_types` included.

    Raises `ReleaseMissing` if there is no such file and `ReleaseCorrupt` if its header is not one.
    """
    with _opened(path) as file:
        return _header(file)


def read_table(path: Path, *, allow_pickle: bool = False) -> Table:
    """Read a release file; the header's `format` says how, not the file's name.

    Values are equal in all formats, to the last bit. A pickle is read only if `allow_pickle`,
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
        return read_payload(header, file)


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
    start = file.read(MAX_READ_BYTES)
    if start.startswith(parquet_payload.MAGIC):
        return parquet_payload.read_header(file)
    header, payload_at = split_header(start)
    file.seek(payload_at)
    return header


def read_payload(header: Mapping[str, Any], file: BinaryIO) -> Table:
    """Read what a file holds from its position on, where its header ends.

    Raises `ReleaseCorrupt`, and `NotEncodable` for values that no file of this header has.
    """
    match header["format"]:
        case "csv":
            return table_of_blocks(header, csv_payload.read_rows(file, header))
        case "pickle":
            return table_of_rows(header, pickle_payload.read_rows(file.read()))
        case "parquet":
            return parquet_payload.read_table(file)
        case _:
            types = {name: parse_type(header["column_types"][name]) for name in header["columns"]}
            return Table.of_file(header, blox_payload.decode(blox_payload.inflate(file), types))
