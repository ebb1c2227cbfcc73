"""Many results at once, as arrays: what an export streams."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from blox_store.store import schema
from blox_store.store.results.curves import COUNTS, LOSSES, unpack_many

ROWS_PER_BLOCK: Final = 2000

_RESULTS = schema.results.c
_ARCHITECTURES = schema.architectures.c


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Results of one run: those of some statuses, with arch indices of a range."""

    run_id: int
    statuses: tuple[str, ...]
    indices: range

    @property
    def condition(self) -> ColumnElement[bool]:
        """The selection as a condition on the table of results."""
        return and_(
            _RESULTS.run_id == self.run_id,
            _RESULTS.status.in_(self.statuses),
            _RESULTS.arch_index >= self.indices.start,
            _RESULTS.arch_index < self.indices.stop,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ResultBlock:
    """Results in the order of their arch indices, one array element or row per result.

    Curves are as wide as asked for; `epochs` says how much of each is there, the rest is 0. Counts
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


def result_blocks(
    connection: Connection, selection: Selection, epochs: int
) -> Generator[ResultBlock, None, None]:
    """Yield the results by arch index in blocks, their curves `epochs` wide.

    Raises StoreError for curves that are damaged or longer.
    """
    columns = (
        "arch_index",
        "epochs",
        "test_top1",
        "test_top5",
        "test_loss",
        "train_time_s",
        "curves_layout",
        "curves",
    )
    rows = select(*(_RESULTS[name] for name in columns)).where(selection.condition)
    for part in stream(connection, rows.order_by(_RESULTS.arch_index)):
        yield _block(dict(zip(columns, part, strict=True)), epochs)


def environment_blocks(
    connection: Connection, selection: Selection
) -> Iterator[tuple[NDArray[np.int64], list[int]]]:
    """Yield arch indices and the ids of the environments in which they were trained."""
    rows = select(_RESULTS.arch_index, _RESULTS.environment_id).where(selection.condition)
    for indices, environments in stream(connection, rows.order_by(_RESULTS.arch_index)):
        yield np.array(indices, np.int64), list(environments)


def cost_blocks(
    connection: Connection, selection: Selection, shape: Mapping[str, int]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]]:
    """Yield arch indices, params and FLOPs of the models that were trained."""
    rows = _with_costs(selection, shape, _RESULTS.arch_index, *_costs()).where(
        _ARCHITECTURES.params.is_not(None)
    )
    for indices, params, flops in stream(connection, rows.order_by(_RESULTS.arch_index)):
        yield np.array(indices, np.int64), np.array(params, np.uint64), np.array(flops, np.uint64)


def without_costs(connection: Connection, selection: Selection, shape: Mapping[str, int]) -> int:
    """Return of how many models params and FLOPs are not in the store."""
    missing = _with_costs(selection, shape, func.count()).where(_ARCHITECTURES.params.is_(None))
    count: int = connection.execute(missing).scalar_one()
    return count


def stream(connection: Connection, statement: Select[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the columns of a statement's rows in blocks, by a cursor of the server."""
    with connection.execution_options(yield_per=ROWS_PER_BLOCK).execute(statement) as rows:
        for block in rows.partitions():
            yield list(zip(*block, strict=True))


def _costs() -> tuple[ColumnElement[int], ColumnElement[int]]:
    return _ARCHITECTURES.params, _ARCHITECTURES.flops


def _with_costs(selection: Selection, shape: Mapping[str, int], *columns: Any) -> Select[Any]:
    same = [_ARCHITECTURES[name] == value for name, value in shape.items()]
    joined = schema.results.outerjoin(
        schema.architectures, and_(_ARCHITECTURES.arch_index == _RESULTS.arch_index, *same)
    )
    return select(*columns).select_from(joined).where(selection.condition)


def _block(columns: Mapping[str, Sequence[Any]], epochs: int) -> ResultBlock:
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
