"""Many results at once, as arrays: what an export streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, and_

from blox_store.store import schema
from blox_store.store.results.curves import COUNTS, LOSSES, unpack_many
from blox_store.store.values import Run

ROWS_PER_BLOCK: Final = 2000
BLOCK_COLUMNS: Final = (
    "arch_index",
    "epochs",
    "test_top1",
    "test_top5",
    "test_loss",
    "train_time_s",
    "curves_layout",
    "curves",
)

EnvironmentBlock: TypeAlias = tuple[NDArray[np.int64], list[Mapping[str, str]]]  # indices, strings
LatencyBlock: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]  # indices, milliseconds

_RESULTS = schema.results.c


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Results of one run: those of some statuses, with arch indices of a range."""

    run: Run
    statuses: tuple[str, ...]
    indices: range

    @property
    def condition(self) -> ColumnElement[bool]:
        """The selection as a condition on the table of results."""
        return and_(
            _RESULTS.run_id == self.run.id,
            _RESULTS.status.in_(self.statuses),
            _RESULTS.arch_index.between(self.indices.start, self.indices.stop - 1),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ResultBlock:
    """Results in the order of their arch indices, one array element or row per result.

    Curves are as wide as the run has epochs; `epochs` says how much of each is there, the rest is 0. Counts
    are uint16 or uint32. Losses are uint32 millionths where all of the block are, else float64.
    Rows without `has_test` have 0 for test counts and NaN for the loss.
    """

    arch_indices: NDArray[np.int64]
    epochs: NDArray[np.int64]
    has_test: NDArray[np.bool_]
    test_top1: NDArray[np.int64]
    test_top5: NDArray[np.int64]
    test_loss: NDArray[np.float64]
    train_time_s: NDArray[np.float64]
    curves: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.arch_indices)


class CostBlock(NamedTuple):
    """Params and FLOPs in the order of their arch indices."""

    arch_indices: NDArray[np.int64]
    params: NDArray[np.uint64]
    flops: NDArray[np.uint64]


def stream(
    connection: Connection, rows: Select[Any], key: ColumnElement[int]
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the columns of rows by a key in blocks, by a cursor of the server."""
    statement = rows.order_by(key)
    with connection.execution_options(yield_per=ROWS_PER_BLOCK).execute(statement) as found:
        for block in found.partitions():
            yield list(zip(*block, strict=True))


def result_block(columns: Mapping[str, Sequence[Any]], epochs: int) -> ResultBlock:
    """Return the results of BLOCK_COLUMNS, their curves `epochs` wide."""
    has_test = np.array([value is not None for value in columns["test_top1"]])
    curves = unpack_many(
        columns["curves_layout"], columns["epochs"], columns["curves"], width=epochs
    )
    return ResultBlock(
        arch_indices=np.array(columns["arch_index"], np.int64),
        epochs=np.array(columns["epochs"], np.int64),
        has_test=has_test,
        test_top1=np.array([value or 0 for value in columns["test_top1"]], np.int64),
        test_top5=np.array([value or 0 for value in columns["test_top5"]], np.int64),
        test_loss=np.array(columns["test_loss"], np.float64),  # None becomes NaN
        train_time_s=np.array(columns["train_time_s"], np.float64),
        curves=dict(zip((*COUNTS, *LOSSES), curves, strict=True)),
    )
