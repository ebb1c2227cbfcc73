"""The payload of a `.csv` file: rows of text to rows of values, and back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blox_store.errors import ReleaseCorrupt
from blox_store.release.known_columns import shape_of
from blox_store.release.table import Table

_TEXT_KINDS = ("hash", "str")
_JSON_NAMES = {"nan": "NaN", "inf": "Infinity"}
_NO_JSON = re.compile(r"nan|inf")


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


def write_rows(blocks: Iterable[Table]) -> Iterator[bytes]:
    """Yield the CSV payload of a table in pieces."""
    for block in blocks:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(block.rows())
        yield text.getvalue().encode()


def _values(texts: list[str], is_text: list[bool]) -> list[Any]:
    if len(texts) != len(is_text):
        raise ValueError(f"{len(is_text)} fields are needed, got {len(texts)}")
    return [text if plain else _number(text) for text, plain in zip(texts, is_text, strict=True)]


def _number(text: str) -> Any:
    """Return a number or a list of them; Python writes `nan` and `inf` where JSON has other names."""
    return json.loads(_NO_JSON.sub(lambda match: _JSON_NAMES[match[0]], text))
