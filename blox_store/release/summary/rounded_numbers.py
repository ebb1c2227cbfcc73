"""Numbers as a file holds them, rounded as the format documents."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_store.release.columns import (
    MILLION,
    CountColumn,
    MillionthsColumn,
    NumberColumn,
    accuracy_table,
)
from blox_store.release.columns.columns import round_decimals
from blox_store.release.columns.exact_numbers import nearest_counts

MAX_MILLIONTHS: Final = 0xFF_FFFF  # three bytes
LOSS_DECIMALS: Final = 6
# An accuracy may have been rounded to 3 decimals; the rest is the error of doubles near 100.
_TOLERANCE: Final = 0.000_5 + 1e-9

Doubles = NDArray[np.float64]


def as_counts(column: NumberColumn, images: int) -> CountColumn | None:
    """Return accuracies as counts out of `images`, or None if one of them is no such count.

    Counts out of a number that divides `images` are scaled. A double is a count if it is the
    count's percentage to 3 decimals; a count out of another number only if its value is the same.
    """
    if isinstance(column, CountColumn) and images % column.images == 0:
        return CountColumn(_scaled(column.counts, images // column.images), images)
    floats = column.floats()
    counts, distance = _nearest(floats, images)
    largest = 0.0 if isinstance(column, CountColumn) else _TOLERANCE
    return CountColumn(counts, images) if (distance <= largest).all() else None


def accuracy_doubles(column: NumberColumn, images: int) -> Doubles:
    """Return accuracies as doubles; those that are a count out of `images` become its value."""
    floats = column.floats()
    if isinstance(column, CountColumn):
        return floats
    counts, distance = _nearest(floats, images)
    return np.where(distance <= _TOLERANCE, accuracy_table(images)[counts], floats)


def as_millionths(column: NumberColumn) -> MillionthsColumn | None:
    """Return losses as millionths, or None if one of them takes over three bytes, or has a sign."""
    if isinstance(column, MillionthsColumn):
        fits = _within(column.millionths, MAX_MILLIONTHS)
        return MillionthsColumn(column.millionths.astype(np.uint32, copy=False)) if fits else None
    rounded = round_decimals(column.floats(), LOSS_DECIMALS)
    if not _within(rounded, MAX_MILLIONTHS / MILLION):
        return None
    return MillionthsColumn(np.rint(rounded * MILLION).astype(np.uint32))


def loss_doubles(column: NumberColumn) -> Doubles:
    """Return losses as doubles, rounded to 6 decimals; zero has no sign."""
    return round_decimals(column.floats(), LOSS_DECIMALS) + 0.0


def _within(values: NDArray[Any], largest: float) -> bool:
    """Return whether all values are from 0 to `largest`; what is not a number is not."""
    return not values.size or bool(values.min() >= 0 and values.max() <= largest)


def _scaled(counts: NDArray[Any], factor: int) -> NDArray[np.uint16]:
    if factor > 1:
        counts = counts.astype(np.uint32) * np.uint32(factor)
    return counts.astype(np.uint16, copy=False)


def _nearest(floats: Doubles, images: int) -> tuple[NDArray[np.uint16], Doubles]:
    """Return the nearest counts and how far their values are off, NaN for what is not a number."""
    counts = nearest_counts(np.nan_to_num(floats), images)
    return counts, np.abs(accuracy_table(images)[counts] - floats)
