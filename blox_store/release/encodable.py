"""Making a table hold what version 1 can hold, or saying which value it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.errors import NotEncodable
from blox_store.release.column_type import MAX_LENGTH, Kind
from blox_store.release.columns import (
    MILLION,
    ArchColumn,
    Column,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    NumberColumn,
    RaggedColumn,
    StringColumn,
    accuracy_table,
    images_of,
)
from blox_store.release.exact_numbers import nearest_counts
from blox_store.release.known_columns import shape_of
from blox_store.release.rows import RAW_CELLS, refusal
from blox_store.release.table import Table

MAX_MILLIONTHS = 0xFF_FFFF  # three bytes
DECIMALS = 6  # of losses and latencies
# An accuracy may have been rounded to 3 decimals; the rest is the error of doubles near 100.
ACCURACY_TOLERANCE = 0.000_5 + 1e-9

_NUMBERS = (CountColumn, MillionthsColumn, FloatColumn)
_CLASSES: Mapping[Kind, tuple[type[Column], ...]] = {
    "hash": (HashColumn,),
    "int": (IntColumn,),
    "str": (StringColumn,),
    "arch": (ArchColumn,),
    "b": _NUMBERS,
    "float": _NUMBERS,
}


def encodable(table: Table) -> Table:
    """Return the table with accuracies as counts and losses as millionths, all within version 1.

    Doubles are rounded as the format documents: accuracies to the nearest count if that is the
    value to 3 decimals, losses and latencies to 6 decimals. Counts of a number of images that
    divides the column's own are scaled. Raises `NotEncodable` naming the row, column and value.
    """
    names = list(table.columns)
    if names != list(table.header["columns"]):
        raise NotEncodable(f"the header has columns {table.header['columns']}, the table {names}")
    rows = {name: len(column) for name, column in table.columns.items()}
    if len(set(rows.values())) > 1:
        raise NotEncodable(f"the columns have unequal numbers of rows: {rows}")
    dataset_type = table.header["dataset_type"]
    columns = {n: _encodable_column(dataset_type, n, c) for n, c in table.columns.items()}
    return Table(header=table.header, columns=columns)


def _encodable_column(dataset_type: str, name: str, column: Column) -> Column:
    shape = shape_of(dataset_type, name)
    if shape is None:
        raise NotEncodable(f"a file of type {dataset_type} has no column {name}")
    is_ragged = isinstance(column, RaggedColumn)
    items = column.items if isinstance(column, RaggedColumn) else column
    is_list = is_ragged or (isinstance(items, NumberColumn) and items.array().ndim > 1)
    if is_list != shape.is_list or not isinstance(items, _CLASSES[shape.kind]):
        raise NotEncodable(f"column {name} must be {shape}, got a {type(items).__name__}")
    return _Place(name, column).encodable(shape.kind, items)


class _Place:
    """A column under examination: it knows the row in which an item stands."""

    def __init__(self, name: str, column: Column) -> None:
        self.name = name
        self.column = column

    def encodable(self, kind: Kind, items: Column) -> Column:
        """Return the column with its items as version 1 has them."""
        self._check_lengths()
        if isinstance(items, NumberColumn):
            items = self._counts(items) if kind == "b" else self._millionths(items)
        elif isinstance(items, StringColumn):
            self._check_strings(items)
        elif isinstance(items, ArchColumn):
            self._refuse(items.cells >= RAW_CELLS, items.array, f"a cell below {RAW_CELLS}")
        column = self.column
        return RaggedColumn(column.offsets, items) if isinstance(column, RaggedColumn) else items

    def _check_lengths(self) -> None:
        if isinstance(self.column, RaggedColumn):
            lengths = np.diff(self.column.offsets)
        else:
            array = self.column.array()
            lengths = np.full(len(array), array.shape[1] if array.ndim > 1 else 1)
        if (lengths > MAX_LENGTH).any():
            row = int(np.argmax(lengths > MAX_LENGTH))
            allowed = f"a list of at most {MAX_LENGTH} items"
            raise refusal(row, self.name, self.column.value(row), allowed)

    def _counts(self, items: NumberColumn) -> CountColumn:
        images = images_of(self.name)
        if isinstance(items, CountColumn) and images % items.images == 0:
            bad = items.counts > items.images
            self._refuse(bad, items.array, f"at most {items.images} correct images")
            scaled = items.counts.astype(np.uint32) * (images // items.images)
            return CountColumn(scaled.astype(np.uint16), images)
        floats = self._finite_floats(items)
        counts = nearest_counts(floats, images)
        bad = np.abs(accuracy_table(images)[counts] - floats) > ACCURACY_TOLERANCE
        self._refuse(bad, items.floats, f"a percentage of {images} images")
        return CountColumn(counts, images)

    def _millionths(self, items: NumberColumn) -> MillionthsColumn:
        if isinstance(items, MillionthsColumn):
            whole: NDArray[Any] = items.millionths
        else:
            floats = self._finite_floats(items)
            # Python's rounding is exact where numpy's product by a million is not.
            rounded = [round(value, DECIMALS) for value in floats.ravel().tolist()]
            whole = np.rint(np.array(rounded, np.float64).reshape(floats.shape) * MILLION)
        bad = (whole < 0) | (whole > MAX_MILLIONTHS)
        self._refuse(bad, items.floats, f"a number from 0 to {MAX_MILLIONTHS / MILLION}")
        return MillionthsColumn(whole.astype(np.uint32, copy=False))

    def _finite_floats(self, items: NumberColumn) -> NDArray[np.float64]:
        floats = items.floats()
        self._refuse(~np.isfinite(floats), items.floats, "a finite number")
        return floats

    def _check_strings(self, items: StringColumn) -> None:
        fits = [text.isascii() and len(text) <= MAX_LENGTH for text in items.strings]
        if not all(fits):
            bad = ~np.array(fits)[items.codes]
            texts = np.array(items.strings, object)
            allowed = f"a string of at most {MAX_LENGTH} ASCII characters"
            self._refuse(bad, lambda: texts[items.codes], allowed)

    def _refuse(
        self, bad: NDArray[np.bool_], values: Callable[[], NDArray[Any]], allowed: str
    ) -> None:
        if bad.any():
            item = int(np.argmax(bad))
            value = values().ravel()[item]
            plain = value.item() if isinstance(value, np.generic) else value
            raise refusal(self._row_of(item, bad.size), self.name, plain, allowed)

    def _row_of(self, item: int, items: int) -> int:
        if isinstance(self.column, RaggedColumn):
            return int(np.searchsorted(self.column.offsets, item, side="right")) - 1
        return item // (items // len(self.column))
