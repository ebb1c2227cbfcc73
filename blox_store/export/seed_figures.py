"""The few figures of each architecture that a dataset card shows, of one seed or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.release.columns import NumberColumn
from blox_store.release.table import Table
from blox_store.store import CostBlock, ResultBlock, Run

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedFigures:
    """Best validation top-1 and test top-1 in percent, params and FLOPs, by arch index."""

    indices: NDArray[np.int64]
    val_top1: Doubles
    test_top1: Doubles
    params: NDArray[np.uint64]
    flops: NDArray[np.uint64]

    def averaged(self, others: Sequence[tuple[Doubles, Doubles]]) -> SeedFigures:
        """Return the means of these accuracies and of (val_top1, test_top1) of other seeds."""
        val = np.mean([self.val_top1, *(val for val, _ in others)], axis=0)
        test = np.mean([self.test_top1, *(test for _, test in others)], axis=0)
        return replace(self, val_top1=val, test_top1=test)


class FiguresBuilder:
    """Collects the figures of a seed from the blocks of an export."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._results: list[tuple[NDArray[Any], Doubles, Doubles]] = []
        self._costs: list[CostBlock] = []

    def add(self, block: object) -> None:
        """Take the figures of a block; NaN stands for a test that there is not.

        Costs are by arch index, and of all architectures that have results.
        """
        if isinstance(block, CostBlock):
            self._costs.append(block)
        elif isinstance(block, ResultBlock):
            best = block.curves["val_top1"].max(axis=1, initial=0)
            val = np.where(block.epochs > 0, best * (100 / self._run.images("val")), np.nan)
            test = block.test_top1 * (100 / self._run.images("test"))
            self._results.append((block.arch_indices, val, np.where(block.has_test, test, np.nan)))

    def figures(self) -> SeedFigures:
        """Return all that was taken."""
        indices, val, test = map(np.concatenate, zip(*self._results, strict=True))
        of_costs, params, flops = map(np.concatenate, zip(*self._costs, strict=True))
        at = np.searchsorted(of_costs, indices)
        return SeedFigures(
            indices=indices, val_top1=val, test_top1=test, params=params[at], flops=flops[at]
        )


def accuracies_of(base: Table) -> tuple[Doubles, Doubles]:
    """Return best validation and test top-1 of a base file's rows, in percent, by arch index."""
    val, test = base.columns["val_top1"], base.columns["test_top1"]
    assert isinstance(val, NumberColumn)
    assert isinstance(test, NumberColumn)
    order = np.argsort(base.arch_indices())
    best = val.apply(lambda curves: np.fmax.reduce(curves, axis=1))
    return best.floats()[order], test.floats()[order]
