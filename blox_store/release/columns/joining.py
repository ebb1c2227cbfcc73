"""Columns of the blocks of a table, one after the other, as one column."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TypeVar

import numpy as np

from blox_store.release.columns.columns import (
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
)

C = TypeVar("C", bound=Column)


def joined(columns: Sequence[Column]) -> Column:
    """Return the rows of one or more columns of the same name as one column.

    It is the one that all their values would have made at once: counts or millionths where all
    are, a matrix where all lists are equally long.
    """
    parts = [column for column in columns if len(column)]  # what has no rows has no width either
    if len(parts) < 2:
        return (parts or columns)[0]
    if hashes := _all_of(HashColumn, parts):
        return HashColumn(np.concatenate([column.digests for column in hashes]))
    if integers := _all_of(IntColumn, parts):
        return IntColumn(np.concatenate([column.data for column in integers]))
    if archs := _all_of(ArchColumn, parts):
        return ArchColumn(np.concatenate([column.cells for column in archs]))
    if texts := _all_of(StringColumn, parts):
        return _joined_strings(texts)
    return _joined_numbers(parts)


def _all_of(kind: type[C], columns: Sequence[Column]) -> list[C] | None:
    found = [column for column in columns if isinstance(column, kind)]
    return found if len(found) == len(columns) else None


def _joined_strings(columns: Sequence[StringColumn]) -> StringColumn:
    texts = tuple(dict.fromkeys(chain.from_iterable(column.strings for column in columns)))
    codes = {text: code for code, text in enumerate(texts)}
    held = [
        np.array([codes[text] for text in column.strings], np.uint32)[column.codes]
        for column in columns
    ]
    return StringColumn(np.concatenate(held), texts)


def _joined_numbers(columns: Sequence[Column]) -> Column:
    numbers = [column for column in columns if isinstance(column, NumberColumn)]
    widths = {column.array().shape[1:] for column in numbers}
    if len(numbers) == len(columns) and len(widths) == 1:
        return _concatenated(numbers)
    lengths = np.concatenate([column.lengths() for column in columns])
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return RaggedColumn(offsets, _concatenated([_items(column) for column in columns]))


def _concatenated(columns: Sequence[NumberColumn]) -> NumberColumn:
    if counts := _all_of(CountColumn, columns):
        return CountColumn(np.concatenate([column.counts for column in counts]), counts[0].images)
    if millionths := _all_of(MillionthsColumn, columns):
        return MillionthsColumn(np.concatenate([column.millionths for column in millionths]))
    return FloatColumn(np.concatenate([column.floats() for column in columns]))


def _items(column: Column) -> NumberColumn:
    items = column.items if isinstance(column, RaggedColumn) else column
    assert isinstance(items, NumberColumn)
    return items.apply(np.ravel)
