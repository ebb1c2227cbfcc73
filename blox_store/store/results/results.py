"""Results: written once under a lease, read as a stream."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import asdict
from math import isnan, nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, func, insert, select, tuple_

from blox_core.result import TrainingResult
from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.database.database import Database
from blox_store.store.jobs.leases import finish, lease_lost
from blox_store.store.results import blocks
from blox_store.store.results.blocks import ResultBlock, Selection
from blox_store.store.results.curves import COUNTS, LOSSES, pack_curves, rounded_loss, unpack_curves
from blox_store.store.results.environments import environment_id
from blox_store.store.results.recent import finished_within
from blox_store.store.values import JobState, Lease, ResultRow

_ROWS_PER_FETCH: Final = 2000
_JOBS_PER_STATEMENT: Final = 500
_KEY: Final = (schema.results.c.run_id, schema.results.c.arch_index)


class Results:
    """The results and environments of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def complete(self, lease: Lease, result: TrainingResult) -> None:
        """Write a result and end its job, in one transaction; losses are rounded to 6 decimals.

        Writing the same result again is a success, for a connection can drop during COMMIT. A
        result whose lease was reaped is accepted if nobody else holds the job, it has not ended,
        and the run is the one that it was trained for. Raises LeaseLost otherwise, and then writes
        nothing.
        """
        with self._database.write() as connection:
            end = finish(
                lease,
                state=JobState(result.status),
                epoch=len(result.curves),
                recipe_fingerprint=result.recipe_fingerprint,
                seed=result.seed,
            )
            if connection.execute(end).rowcount == 1:
                environment = environment_id(connection, asdict(result.environment))
                values = _row(lease, result) | {"environment_id": environment}
                connection.execute(insert(schema.results).values(finished_s=now_s(), **values))
            elif _written_token(connection, lease) != lease.token:
                raise lease_lost(lease)

    def stream(self, connection: Connection, run_id: int) -> Iterator[ResultRow]:
        """Yield the results of a run by arch index, within the caller's transaction."""
        rows = connection.execution_options(yield_per=_ROWS_PER_FETCH).execute(
            select(schema.results)
            .where(schema.results.c.run_id == run_id)
            .order_by(schema.results.c.arch_index)
        )
        for row in rows:
            yield _result(row)

    def among(self, jobs: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return those of some jobs, (run id, arch index), that have a result."""
        wanted = sorted(jobs)
        found: list[tuple[int, int]] = []
        with self._database.read() as connection:
            for start in range(0, len(wanted), _JOBS_PER_STATEMENT):
                chunk = wanted[start : start + _JOBS_PER_STATEMENT]
                rows = select(*_KEY).where(tuple_(*_KEY).in_(chunk))
                found += [(row.run_id, row.arch_index) for row in connection.execute(rows)]
        return found

    def blocks(
        self, connection: Connection, selection: Selection, epochs: int
    ) -> Generator[ResultBlock, None, None]:
        """Yield selected results by arch index in blocks, within the caller's transaction.

        One that is not exhausted has to be closed before the transaction ends.
        Curves are `epochs` wide. Raises StoreError for longer ones, and for damaged ones.
        """
        return blocks.result_blocks(connection, selection, epochs)

    def environment_blocks(
        self, connection: Connection, selection: Selection
    ) -> Iterator[tuple[NDArray[np.int64], list[int]]]:
        """Yield arch indices and environment ids of selected results, in the transaction."""
        return blocks.environment_blocks(connection, selection)

    def environment_count(self, connection: Connection, selection: Selection) -> int:
        """Return in how many environments selected results were trained."""
        distinct = select(func.count(schema.results.c.environment_id.distinct()))
        return connection.execute(distinct.where(selection.condition)).scalar_one()

    def cost_blocks(
        self, connection: Connection, selection: Selection, shape: Mapping[str, int]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]]:
        """Yield arch indices, params and FLOPs of selected results' models of a shape."""
        return blocks.cost_blocks(connection, selection, shape)

    def without_costs(
        self, connection: Connection, selection: Selection, shape: Mapping[str, int]
    ) -> int:
        """Return of how many selected results' models params and FLOPs are not stored."""
        return blocks.without_costs(connection, selection, shape)

    def finished_within(self, run_id: int, window_s: float) -> tuple[int, float]:
        """Return how many results came in the last `window_s` seconds, and how long ago the first.

        The second is 0 without any; the two give a rate.
        """
        return finished_within(self._database, schema.results, run_id, window_s)

    def environments(self, connection: Connection) -> dict[int, dict[str, str]]:
        """Return the strings of every environment by its id, within the caller's transaction."""
        rows = connection.execute(select(schema.environments))
        return {row.id: dict(row.strings) for row in rows}


def _row(lease: Lease, result: TrainingResult) -> dict[str, Any]:
    curves = pack_curves(
        [getattr(result.curves, name) for name in COUNTS],
        [getattr(result.curves, name) for name in LOSSES],
    )
    test = result.test
    return {
        "run_id": lease.run_id,
        "arch_index": lease.arch_index,
        "lease_token": lease.token,
        "worker": lease.worker,
        "status": result.status,
        "epochs": len(result.curves),
        "best_epoch": result.best_epoch,
        "test_top1": None if test is None else test.top1,
        "test_top5": None if test is None else test.top5,
        "test_loss": None if test is None or isnan(test.loss) else rounded_loss(test.loss),
        "train_time_s": result.train_time_s,
        "curves_layout": curves.layout,
        "curves": curves.blob,
    }


def _result(row: Row[Any]) -> ResultRow:
    counts, losses = unpack_curves(row.curves_layout, row.curves, row.epochs)
    curves = dict(zip((*COUNTS, *LOSSES), (*counts, *losses), strict=True))
    return ResultRow(
        arch_index=row.arch_index,
        status=row.status,
        worker=row.worker,
        lease_token=row.lease_token,
        environment_id=row.environment_id,
        best_epoch=row.best_epoch,
        test_top1=row.test_top1,
        test_top5=row.test_top5,
        test_loss=nan if row.test_loss is None and row.test_top1 is not None else row.test_loss,
        train_time_s=row.train_time_s,
        **curves,
    )


def _written_token(connection: Connection, lease: Lease) -> str | None:
    token: str | None = connection.scalar(
        select(schema.results.c.lease_token).filter_by(
            run_id=lease.run_id, arch_index=lease.arch_index
        )
    )
    return token
