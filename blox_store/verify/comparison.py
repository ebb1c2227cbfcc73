"""Whether two tables of a release hold equal values, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_store.release.columns import Column, NumberColumn, RaggedColumn, StringColumn
from blox_store.release.table import Table

_ROWS_AT_ONCE: Final = 2048  # are compared: as doubles, whole tables would take gigabytes


def first_difference(left: Table, right: Table) -> str | None:
    """Return where two tables differ, rows taken by architecture; None if nowhere.

    The right one's value is named first. Values are equal if their bits are; a NaN equals a NaN.
    """
    if left.header != right.header:
        names = {*left.header, *right.header}
        unequal = sorted(n for n in names if left.header.get(n) != right.header.get(n))
        return f"the headers, in {', '.join(unequal)}"
    if len(left) != len(right):
        return f"{len(right)} and {len(left)} rows"
    orders = _order(left), _order(right)
    for start in range(0, len(left), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        rows = (table.take(order[part]) for table, order in zip((left, right), orders, strict=True))
        if (difference := _difference_of_rows(*rows)) is not None:
            return difference
    return None


def _difference_of_rows(left: Table, right: Table) -> str | None:
    for name, column in left.columns.items():
        if (row := _different_row(column, right.columns[name])) is not None:
            here, there = column.value(row), right.columns[name].value(row)
            return (
                f"{name} of {left.columns['model_hash'].value(row)}: {there!r:.60} and {here!r:.60}"
            )
    return None


def _order(table: Table) -> NDArray[np.int64]:
    return np.lexsort(table.digests.T[::-1])


def _different_row(left: Column, right: Column) -> int | None:
    """Return the first row in which two columns of the same length differ."""
    if isinstance(left, RaggedColumn) or isinstance(right, RaggedColumn):
        rows = zip(_bits_of_lists(left), _bits_of_lists(right), strict=True)
        return next((row for row, (one, other) in enumerate(rows) if one != other), None)
    one, other = _comparable(left), _comparable(right)
    if one.shape != other.shape:
        return 0
    unequal = (one != other).reshape(len(one), -1).any(axis=1) if one.size else np.zeros(0, bool)
    return int(np.argmax(unequal)) if unequal.any() else None


def _comparable(column: Column) -> NDArray[Any]:
    """Return an array that is equal where the values are, bit by bit."""
    if isinstance(column, NumberColumn):
        return _bits(column.floats())
    if isinstance(column, StringColumn):
        return np.array(column.strings, object)[column.codes]
    return column.array()


def _bits(floats: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return the bits of doubles; all NaNs are one, for text does not tell them apart."""
    return np.where(np.isnan(floats), np.nan, floats).view(np.uint64)


def _bits_of_lists(column: Column) -> Iterator[bytes]:
    for row in range(len(column)):
        yield _bits(np.atleast_1d(np.array(column.value(row), np.float64))).tobytes()
