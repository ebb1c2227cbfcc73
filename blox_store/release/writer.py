"""Writing a table to a release file of any format."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

from blox_core.atomic_file import replace_file
from blox_store.errors import NotEncodable, ReleaseError
from blox_store.release import csv_payload, payload
from blox_store.release.column_type import choose_type
from blox_store.release.encodable import encodable
from blox_store.release.header import FORMAT_KEYS, join_header
from blox_store.release.table import Table

PICKLE_PROTOCOL = 4  # read by every Python that Blox ever ran on


def write_table(table: Table, path: Path, format: str) -> None:
    """Write a release file in the format `blox`, `csv` or `pickle`, whole or not at all.

    All three hold what version 1 can hold, so their values are equal; see `encodable` for the
    documented rounding. Raises `NotEncodable` naming the row, column and value that does not fit,
    and `ReleaseError` where the file cannot be written.
    """
    if format not in FORMAT_KEYS:
        raise NotEncodable(f"no format {format!r}; allowed are {', '.join(FORMAT_KEYS)}")
    try:
        replace_file(path, _pieces(encodable(table), format))
    except OSError as error:
        raise ReleaseError(f"cannot write {path}: {error.strerror}") from error


def _pieces(table: Table, format: str) -> Iterator[bytes]:
    header = dict(table.header) | {"format": FORMAT_KEYS[format]}
    if format == "blox":
        types = {name: choose_type(name, column) for name, column in table.columns.items()}
        header["column_types"] = {name: str(kind) for name, kind in types.items()}
        yield join_header(header)
        rows = payload.encode_rows(len(table), types, table.columns)
        start = payload.preamble(len(table), payload.PREAMBLE_BYTES + len(rows))
        yield from payload.deflate([start, rows])
        return
    yield join_header(header)
    if format == "csv":
        yield from csv_payload.write_rows(table)
    else:
        yield pickle.dumps(table.rows(), PICKLE_PROTOCOL)
