"""What the values of a column need, gathered block by block, and the type that follows from it.

Whatever fits takes a type of version 1; a column that does not takes one of version 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.errors import NotEncodable
from blox_store.release.columns import (
    ArchColumn,
    Column,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    NumberColumn,
    StringColumn,
    images_of,
)
from blox_store.release.columns.column_type import (
    LONG_BYTES,
    MAX_LIST,
    MAX_SHORT,
    MAX_TEXT_BYTES,
    SHORT_BYTES,
    ColumnType,
    Kind,
    quantised_type,
)
from blox_store.release.known_columns import ColumnShape
from blox_store.release.rows import RAW_CELLS
from blox_store.release.summary.block_column import BlockColumn
from blox_store.release.summary.rounded_numbers import (
    accuracy_doubles,
    as_counts,
    as_millionths,
    loss_doubles,
)

_LARGEST_INT = int(np.iinfo(np.uint32).max)
_NUMBERS = (CountColumn, MillionthsColumn, FloatColumn)


class _Range:
    """The smallest and the largest of some numbers; both are 0 if there are none."""

    def __init__(self) -> None:
        self.low, self.high = 0, 0
        self._is_empty = True

    def add(self, values: NDArray[Any]) -> None:
        if values.size:
            low, high = int(values.min()), int(values.max())
            self.low = low if self._is_empty else min(self.low, low)
            self.high = high if self._is_empty else max(self.high, high)
            self._is_empty = False

    def holds(self, values: NDArray[Any]) -> bool:
        """Return whether all of these numbers were in the range already."""
        other = _Range()
        other.add(values)
        return not values.size or self.low <= other.low <= other.high <= self.high


class ColumnSummary:
    """What has been seen of the column `name` so far."""

    classes: tuple[type[Column], ...]  # what may hold its items

    def __init__(self, name: str, shape: ColumnShape) -> None:
        self.name = name
        self.shape = shape
        self._rows_of_length: Counter[int] = Counter()

    def add(self, block: BlockColumn) -> None:
        """Take note of a block; raise `NotEncodable` for what no type of the column holds."""
        lengths = block.column.lengths()
        is_list = lengths is not None
        if is_list != self.shape.is_list or not isinstance(block.items, self.classes):
            got = type(block.items).__name__
            raise NotEncodable(f"column {self.name} must be {self.shape}, got a {got}")
        if lengths is None:
            lengths = np.ones(len(block.column), np.int64)
        block.refuse_rows(lengths > MAX_LIST, f"a list of at most {MAX_LIST} items")
        found, rows = np.unique(lengths, return_counts=True)
        self._rows_of_length.update(dict(zip(found.tolist(), rows.tolist(), strict=True)))
        self._add_items(block)

    def chosen_type(self) -> ColumnType:
        """Return the type that holds everything seen."""
        item = self._item_type()
        if not self.shape.is_list:
            return item
        is_short = max(self._rows_of_length, default=0) <= MAX_SHORT
        return replace(item, length_bytes=SHORT_BYTES if is_short else LONG_BYTES)

    def payload_bytes(self) -> int:
        """Return the bytes that everything seen takes in a payload."""
        kind = self.chosen_type()
        return sum(rows * kind.row_bytes(items) for items, rows in self._rows_of_length.items())

    def fitted(self, block: BlockColumn) -> Column:
        """Return a block that was seen as a column of the type."""
        items = self._fitted_items(block.items, self._item_type().kind)
        if items is None:
            raise NotEncodable(f"column {self.name} holds other values than when it was summed up")
        return block.with_items(items)

    def _add_items(self, block: BlockColumn) -> None:
        """Take note of the items; of hashes there is nothing to be noted."""

    def _item_type(self) -> ColumnType:
        """Return the type of an item; hashes and cells have one alone."""
        return ColumnType(kind=self.shape.kind)

    def _fitted_items(self, items: Any, kind: Kind) -> Column | None:
        """Return items as the type has them, None if it does not hold them."""
        column: Column = items
        return column


class _Hashes(ColumnSummary):
    classes = (HashColumn,)


class _Archs(ColumnSummary):
    classes = (ArchColumn,)

    def _add_items(self, block: BlockColumn) -> None:
        cells = block.items.array()
        block.refuse_items(cells >= RAW_CELLS, f"a cell below {RAW_CELLS}")


class _Integers(ColumnSummary):
    classes = (IntColumn,)

    def __init__(self, name: str, shape: ColumnShape) -> None:
        super().__init__(name, shape)
        self._range = _Range()

    def _add_items(self, block: BlockColumn) -> None:
        data = block.items.array()
        block.refuse_items(data < 0, "an integer of 0 or more")
        self._range.add(data)

    def _item_type(self) -> ColumnType:
        return ColumnType(kind="int" if self._range.high <= _LARGEST_INT else "u8")

    def _fitted_items(self, items: IntColumn, kind: Kind) -> Column | None:
        if not self._range.holds(items.data):
            return None
        dtype = np.uint32 if kind == "int" else np.uint64
        return IntColumn(items.data.astype(dtype, copy=False))


class _Strings(ColumnSummary):
    classes = (StringColumn,)
    _text_bytes = 0
    _is_short = True

    def _add_items(self, block: BlockColumn) -> None:
        column = block.items
        assert isinstance(column, StringColumn)
        sizes = np.array([_utf8_bytes(text) for text in column.strings], np.int64)
        used = np.bincount(column.codes, minlength=len(sizes))
        allowed = f"a string of at most {MAX_TEXT_BYTES} bytes of UTF-8"
        is_bad = (sizes < 0) | (sizes > MAX_TEXT_BYTES)
        if is_bad.any():
            block.refuse_rows(is_bad[column.codes], allowed)
        self._text_bytes += int((used * sizes).sum())
        self._is_short &= all(
            text.isascii() and len(text) <= MAX_SHORT
            for text, rows in zip(column.strings, used.tolist(), strict=True)
            if rows
        )

    def _item_type(self) -> ColumnType:
        return ColumnType(kind="str" if self._is_short else "text")

    def payload_bytes(self) -> int:
        return super().payload_bytes() + self._text_bytes


class _Accuracies(ColumnSummary):
    """Counts of the column's own number of images; else of the number that they came with; else doubles."""

    classes = _NUMBERS

    def __init__(self, name: str, shape: ColumnShape) -> None:
        super().__init__(name, shape)
        self._published, self._fits = _Range(), True
        self._own = _Range()
        self._images: set[int] = set()  # that counts came with; 0 for what was no count

    def _add_items(self, block: BlockColumn) -> None:
        items = block.items
        assert isinstance(items, NumberColumn)
        if isinstance(items, CountColumn):
            bad, allowed = items.counts > items.images, f"at most {items.images} correct images"
            block.refuse_items(bad, allowed)
            self._own.add(items.counts)
        if items.array().size:
            self._images.add(items.images if isinstance(items, CountColumn) else 0)
        counts = as_counts(items, images_of(self.name)) if self._fits else None
        self._fits = counts is not None
        if counts is not None:
            self._published.add(counts.counts)

    def _item_type(self) -> ColumnType:
        # The published reader takes a `test_*` column only in whole bytes.
        whole_bytes = not self.shape.is_list or self.name.startswith("test_")
        if self._fits:
            low, high = self._published.low, self._published.high
            return quantised_type("b", low, high, whole_bytes=whole_bytes)
        if len(self._images) > 1 or 0 in self._images:
            return ColumnType(kind="f8")
        (images,) = self._images
        low, high = self._own.low, self._own.high
        return quantised_type("n", low, high, whole_bytes=whole_bytes, images=images)

    def _fitted_items(self, items: NumberColumn, kind: Kind) -> Column | None:
        images = images_of(self.name)
        if kind == "f8":
            return FloatColumn(accuracy_doubles(items, images))
        if kind == "n":
            return items if self._own.holds(items.array()) else None
        counts = as_counts(items, images)
        return counts if counts is not None and self._published.holds(counts.counts) else None


class _Losses(ColumnSummary):
    """Millionths in three bytes, else doubles."""

    classes = _NUMBERS
    _fits = True

    def _add_items(self, block: BlockColumn) -> None:
        items = block.items
        assert isinstance(items, NumberColumn)
        self._fits = self._fits and as_millionths(items) is not None

    def _item_type(self) -> ColumnType:
        return ColumnType(kind="float" if self._fits else "f8")

    def _fitted_items(self, items: NumberColumn, kind: Kind) -> Column | None:
        return as_millionths(items) if kind == "float" else FloatColumn(loss_doubles(items))


_SUMMARIES: Mapping[Kind, type[ColumnSummary]] = {
    "hash": _Hashes,
    "int": _Integers,
    "str": _Strings,
    "arch": _Archs,
    "b": _Accuracies,
    "float": _Losses,
}


def new_summary(name: str, shape: ColumnShape) -> ColumnSummary:
    """Return the summary of a column of which nothing has been seen."""
    return _SUMMARIES[shape.kind](name, shape)


def _utf8_bytes(text: str) -> int:
    """Return how many bytes a string takes in UTF-8, -1 if half a surrogate pair keeps it out."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return -1
