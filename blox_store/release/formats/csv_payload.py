"""The payload of a `.csv` file: rows of text to rows of values, and back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO

from blox_store.errors import ReleaseCorrupt
from blox_store.release.columns.column_type import MAX_TEXT_BYTES
from blox_store.release.known_columns import shape_of
from blox_store.release.table import ROWS_AT_ONCE, Table

_TEXT_KINDS = ("hash", "str")
_JSON_NAMES = {"nan": "NaN", "inf": "Infinity"}
_NO_JSON = re.compile(r"nan|inf")


def read_rows(file: BinaryIO, header: Mapping[str, Any]) -> Iterator[list[list[Any]]]:
    """Yield the rows of a CSV payload as Python values, in blocks; numbers are read as JSON.

    Raises `ReleaseCorrupt` naming the row. Whether a value suits its column is not examined.
    """
    shapes = (shape_of(header["dataset_type"], name) for name in header["columns"])
    is_text = [shape is not None and shape.kind in _TEXT_KINDS for shape in shapes]
    csv.field_size_limit(max(MAX_TEXT_BYTES, csv.field_size_limit()))  # of the whole process
    read, block = 0, []
    try:
        for texts in csv.reader(_lines(file), strict=True):
            block.append(_values(texts, is_text))
            read += 1
            if len(block) == ROWS_AT_ONCE:
                yield block
                block = []
    except UnicodeDecodeError as error:
        raise ReleaseCorrupt(f"the payload is not UTF-8: {error}") from error
    except (csv.Error, ValueError, RecursionError) as error:
        raise ReleaseCorrupt(f"row {read} of the payload: {error}") from error
    yield block


def _lines(file: BinaryIO) -> Iterator[str]:
    for line in file:
        if not line.endswith(b"\n"):  # a number that is cut off is another number
            raise ValueError("it has no line end: the file was cut off")
        yield line.decode()


def write_rows(blocks: Iterable[Table]) -> Iterator[bytes]:
    """Yield the CSV payload of a table in pieces."""
    for block in chain.from_iterable(table.blocks() for table in blocks):
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
