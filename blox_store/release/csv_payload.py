"""The payload of a `.csv` file: rows of text to rows of values, and back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from blox_store.errors import ReleaseCorrupt
from blox_store.release.known_columns import shape_of
from blox_store.release.table import Table

_ROWS_AT_ONCE = 1024  # bounds the Python values alive while a big table is written
_TEXT_KINDS = ("hash", "str")


def read_rows(data: bytes, header: Mapping[str, Any]) -> list[list[Any]]:
    """Return the rows of a CSV payload as Python values; numbers and lists are read as JSON.

    Raises `ReleaseCorrupt` naming the line. Whether a value suits its column is not examined.
    """
    shapes = (shape_of(header["dataset_type"], name) for name in header["columns"])
    is_text = [shape is not None and shape.kind in _TEXT_KINDS for shape in shapes]
    rows = []
    try:
        reader = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        for texts in reader:
            rows.append(_values(texts, is_text))
    except UnicodeDecodeError as error:
        raise ReleaseCorrupt(f"the payload is not UTF-8: {error}") from error
    except (csv.Error, ValueError, RecursionError) as error:
        raise ReleaseCorrupt(f"row {len(rows)} of the payload: {error}") from error
    return rows


def write_rows(table: Table) -> Iterator[bytes]:
    """Yield the CSV payload of a table in pieces."""
    for first in range(0, len(table), _ROWS_AT_ONCE):
        text = io.StringIO(newline="")
        csv.writer(text).writerows(table.take(slice(first, first + _ROWS_AT_ONCE)).rows())
        yield text.getvalue().encode()


def _values(texts: list[str], is_text: list[bool]) -> list[Any]:
    if len(texts) != len(is_text):
        raise ValueError(f"{len(is_text)} fields are needed, got {len(texts)}")
    return [text if plain else json.loads(text) for text, plain in zip(texts, is_text, strict=True)]
