"""Doubles as exact counts or millionths, where they are; else as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.release.columns.columns import (
    MILLION,
    CountColumn,
    FloatColumn,
    MillionthsColumn,
    NumberColumn,
)

Doubles = NDArray[np.float64]

_LARGEST_U32 = float(np.iinfo(np.uint32).max)


def nearest_counts(values: Doubles, images: int) -> NDArray[np.uint16]:
    """Return the numbers of correct images, 0 to `images`, nearest to finite percentages."""
    return np.rint(np.clip(values, 0, 100) * (images / 100)).astype(np.uint16)


def accuracies(values: Doubles, images: int) -> NumberColumn:
    """Return percentages as a count column if each is the double of a count, to the bit."""
    if not np.isfinite(values).all():
        return FloatColumn(values)
    column = CountColumn(nearest_counts(values, images), images)
    return column if _same_bits(column.floats(), values) else FloatColumn(values)


def losses(values: Doubles) -> NumberColumn:
    """Return numbers as a millionths column if each is the double of one, to the bit."""
    if not np.isfinite(values).all():
        return FloatColumn(values)
    within = np.clip(values, 0, _LARGEST_U32 / MILLION)
    millionths = np.rint(within * MILLION).astype(np.uint32)
    column = MillionthsColumn(millionths)
    return column if _same_bits(column.floats(), values) else FloatColumn(values)


def _same_bits(left: NDArray[Any], right: NDArray[Any]) -> bool:
    return np.array_equal(left.view(np.uint64), right.view(np.uint64))  # tells -0.0 from 0.0
