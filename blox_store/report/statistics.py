"""The statistics of a report: ranks, fronts, quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_core.latency import agreement

Doubles = NDArray[np.float64]


def spearman(left: Doubles, right: Doubles) -> float:
    """Return Spearman's rank correlation of two figures (n,); pairs with a NaN do not count.

    NaN where fewer than two pairs are left, or where all values of one figure are equal.
    """
    both = ~(np.isnan(left) | np.isnan(right))
    return agreement.spearman(left[both], right[both]) if both.any() else float("nan")


def pareto_front(costs: NDArray[Any], values: Doubles) -> NDArray[np.intp]:
    """Return the positions, cheapest first, whose value no other of at most their cost reaches.

    Of equal ones the first stands for all; NaN is on no front.
    """
    known = np.flatnonzero(~(np.isnan(values) | np.isnan(costs)))
    order = known[np.lexsort((-values[known], costs[known]))]
    best_before = np.maximum.accumulate(np.concatenate([[-np.inf], values[order]]))[:-1]
    front: NDArray[np.intp] = order[values[order] > best_before]
    return front


def mean_of_seeds(values: Doubles) -> Doubles:
    """Return the mean (n,) of figures (seeds, n) over the seeds that have one, NaN without any."""
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    means = np.full(len(sums), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
