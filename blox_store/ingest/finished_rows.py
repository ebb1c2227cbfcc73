"""Rows of a release as results of the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blox_core.recipe import Recipe
from blox_core.result.environment import Environment
from blox_core.result.metrics import first_best
from blox_store.errors import IngestRefused
from blox_store.release.columns import (
    Column,
    CountColumn,
    MillionthsColumn,
    NumberColumn,
    accuracy_table,
)
from blox_store.release.table import Table
from blox_store.store import FinishedRow
from blox_store.store.results.curves import COUNTS, LOSSES, PackedCurves, pack_curves, pack_many

ROWS_PER_BLOCK: Final = 2000
_ENVIRONMENT: Final = tuple(Environment.__dataclass_fields__)


def finished_rows(
    base: Table,
    ext: Table,
    env: Table,
    recipe: Recipe,
    diverged: frozenset[int],
) -> Iterator[list[FinishedRow]]:
    """Yield the results of one seed in blocks; the tables have their rows by arch index.

    Accuracies become counts of the recipe's images. Raises IngestRefused if the tables have
    different rows or lack a column, and for an accuracy that is no count, or a curve of another
    length than the recipe's.
    """
    if any(not np.array_equal(base.digests, other.digests) for other in (ext, env)):
        raise IngestRefused(
            f"base, ext and env of seed {base.header['seed']} have rows for different architectures"
        )
    indices = base.arch_indices().tolist()
    for start in range(0, len(base), ROWS_PER_BLOCK):
        part = slice(start, start + ROWS_PER_BLOCK)
        columns = {
            name: column.take(part)
            for table in (base, ext, env)
            for name, column in table.columns.items()
        }
        yield _Block(indices[part], columns, recipe, diverged).rows()


class _Block:
    """Some rows of all tables of a seed."""

    def __init__(
        self,
        indices: list[int],
        columns: Mapping[str, Column],
        recipe: Recipe,
        diverged: frozenset[int],
    ) -> None:
        self._indices = indices
        self._columns = columns
        self._recipe = recipe
        self._diverged = diverged

    def rows(self) -> list[FinishedRow]:
        """Return the results."""
        counts = [self._counts(name) for name in COUNTS]
        losses = [self._floats(name) for name in LOSSES]
        tests = [self._counts(name) for name in ("test_top1", "test_top5")]
        test_loss = self._floats("test_loss").tolist()
        times = self._column("train_time_s").values()
        environments = self._environments()
        packed = self._packed(counts, losses)
        rows = []
        for row, (index, curves) in enumerate(zip(self._indices, packed, strict=True)):
            epochs = int((counts[2][row] >= 0).sum())  # of val_top1
            has_test = tests[0][row] >= 0
            is_diverged = index in self._diverged or epochs < self._recipe.epochs
            rows.append(
                FinishedRow(
                    arch_index=index,
                    status="diverged" if is_diverged else "succeeded",
                    epochs=epochs,
                    best_epoch=first_best(
                        counts[2][row, :epochs].tolist(), losses[1][row, :epochs].tolist()
                    ),
                    test_top1=int(tests[0][row]) if has_test else None,
                    test_top5=int(tests[1][row]) if has_test else None,
                    test_loss=None if isnan(test_loss[row]) else test_loss[row],
                    train_time_s=times[row],
                    curves_layout=curves.layout,
                    curves=curves.blob,
                    environment=environments[row],
                )
            )
        return rows

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            raise IngestRefused(f"the release has no column {name}, which the store needs")
        return self._columns[name]

    def _numbers(self, name: str) -> NumberColumn:
        column = self._column(name)
        shape = column.array().shape[1:]
        epochs = self._recipe.epochs
        wanted = () if name.startswith("test_") else (epochs,)
        if not isinstance(column, NumberColumn) or shape != wanted:
            raise IngestRefused(
                f"column {name} has lists that are not of {epochs} items, the recipe's epochs"
            )
        return column

    def _floats(self, name: str) -> NDArray[np.float64]:
        return self._numbers(name).floats()

    def _counts(self, name: str) -> NDArray[np.int64]:
        """Return numbers of correct images, -1 for NaN."""
        column = self._numbers(name)
        images = self._recipe.images(name.partition("_")[0])
        if isinstance(column, CountColumn) and column.images == images:
            return column.counts.astype(np.int64)
        floats = column.floats()
        is_absent = np.isnan(floats)
        counts = np.rint(np.where(is_absent, 0.0, floats) * (images / 100)).astype(np.int64)
        exact = (counts >= 0) & (counts <= images)
        exact &= is_absent | (accuracy_table(images)[np.clip(counts, 0, images)] == floats)
        if not exact.all():
            row = int(np.argmin(exact.reshape(len(exact), -1).all(axis=1)))
            raise IngestRefused(
                f"column {name} has an accuracy of architecture {self._indices[row]} that is no "
                f"number of correct images out of the recipe's {images}"
            )
        return np.where(is_absent, -1, counts)

    def _packed(
        self, counts: Sequence[NDArray[np.int64]], losses: Sequence[NDArray[np.float64]]
    ) -> list[PackedCurves]:
        columns = [self._column(name) for name in LOSSES]
        whole = [column.millionths for column in columns if isinstance(column, MillionthsColumn)]
        lowest = min(c.min(initial=0) for c in counts)
        highest = max(c.max(initial=0) for c in counts)
        if len(whole) == len(LOSSES) and lowest >= 0 and highest <= np.iinfo(np.uint16).max:
            return pack_many(counts, whole)
        packed = []
        for row in range(len(self._indices)):
            epochs = int((counts[2][row] >= 0).sum())
            packed.append(
                pack_curves(
                    [curve[row, :epochs] for curve in counts],
                    [curve[row, :epochs] for curve in losses],
                )
            )
        return packed

    def _environments(self) -> list[dict[str, str]]:
        strings = [self._column(name).values() for name in _ENVIRONMENT]
        return [dict(zip(_ENVIRONMENT, row, strict=True)) for row in zip(*strings, strict=True)]
