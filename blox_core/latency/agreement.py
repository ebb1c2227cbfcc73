"""How far two series of latencies of the same architectures agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Latencies = Sequence[float] | NDArray[np.float64]

_PERCENT: Final = 100


def spearman(first: Latencies, second: Latencies) -> float:
    """Return Spearman's rank correlation, -1 to 1; equal values share their mean rank.

    NaN where one series has fewer than two different values. Source: Pearson's correlation of
    the ranks.
    """
    ranks = np.stack([_ranks(first), _ranks(second)])
    deviations = ranks - ranks.mean(axis=1, keepdims=True)
    scale = np.sqrt((deviations**2).sum(axis=1).prod())
    return float(deviations.prod(axis=0).sum() / scale) if scale else float("nan")


def mean_error_percent(predicted: Latencies, measured: Latencies) -> float:
    """Return the mean absolute percentage error (MAPE) of predictions."""
    return _PERCENT * float(np.mean(np.abs(np.asarray(predicted) / np.asarray(measured) - 1)))


def median_difference_percent(first: Latencies, second: Latencies) -> float:
    """Return the median of the differences, each in percent of the mean of the two."""
    one, other = np.asarray(first), np.asarray(second)
    return _PERCENT * float(np.median(2 * np.abs(one - other) / (one + other)))


def _ranks(values: Latencies) -> NDArray[np.float64]:
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: NDArray[np.float64] = ends - (counts - 1) / 2
    return means[place]
