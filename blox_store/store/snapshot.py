"""A snapshot: everything as it is in one state of the database, for whoever reads much of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, and_, func, select

from blox_core.recipe import ModelShape
from blox_store.store import schema
from blox_store.store.latencies.devices import measured_devices
from blox_store.store.latencies.static import all_costs
from blox_store.store.results.blocks import (
    BLOCK_COLUMNS,
    ROWS_PER_BLOCK,
    CostBlock,
    EnvironmentBlock,
    LatencyBlock,
    ResultBlock,
    Selection,
    result_block,
    stream,
)
from blox_store.store.results.results import result_of
from blox_store.store.runs import all_runs
from blox_store.store.values import JobState, MeasuredDevice, ResultRow, Run

_JOBS = schema.jobs.c
_RESULTS = schema.results.c
_ARCHITECTURES = schema.architectures.c
_LATENCIES = schema.latencies.c


class Snapshot:
    """Reads from one state of the store, within the block of `Store.snapshot`.

    Rows come by arch index, many of them in blocks, by a cursor of the server: a generator that is
    not exhausted has to be closed before the block ends.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs(self) -> list[Run]:
        """Return all runs, the oldest first."""
        return all_runs(self._connection)

    def job_indices(self, run_id: int) -> dict[JobState, list[int]]:
        """Return the arch indices of a run's jobs in each state."""
        found: dict[JobState, list[int]] = {state: [] for state in JobState}
        rows = select(_JOBS.state, _JOBS.arch_index).filter_by(run_id=run_id)
        for state, arch_index in self._connection.execute(rows.order_by(_JOBS.arch_index)):
            found[JobState(state)].append(arch_index)
        return found

    def result_rows(self, run_id: int) -> Iterator[ResultRow]:
        """Yield the results of a run, each by itself."""
        rows = select(schema.results).filter_by(run_id=run_id).order_by(_RESULTS.arch_index)
        streamed = self._connection.execution_options(yield_per=ROWS_PER_BLOCK).execute(rows)
        return map(result_of, streamed)

    def results(self, selection: Selection) -> Generator[ResultBlock, None, None]:
        """Yield selected results, with curves of all epochs of the run.

        Raises StoreError for curves that are longer, or damaged.
        """
        rows = select(*(_RESULTS[name] for name in BLOCK_COLUMNS)).where(selection.condition)
        for part in stream(self._connection, rows, _RESULTS.arch_index):
            yield result_block(dict(zip(BLOCK_COLUMNS, part, strict=True)), selection.run.epochs)

    def environments(self, selection: Selection) -> Generator[EnvironmentBlock, None, None]:
        """Yield arch indices of selected results, and the environment in which each was trained."""
        known = self._connection.execute(select(schema.environments))
        strings = {row.id: row.strings for row in known}
        rows = select(_RESULTS.arch_index, _RESULTS.environment_id).where(selection.condition)
        for indices, ids in stream(self._connection, rows, _RESULTS.arch_index):
            yield np.array(indices, np.int64), [strings[id] for id in ids]

    def environment_count(self, selection: Selection) -> int:
        """Return in how many environments selected results were trained."""
        distinct = select(func.count(_RESULTS.environment_id.distinct()))
        return self._connection.execute(distinct.where(selection.condition)).scalar_one()

    def costs(self, selection: Selection) -> Iterator[CostBlock]:
        """Yield params and FLOPs of selected results' models."""
        columns = (_RESULTS.arch_index, _ARCHITECTURES.params, _ARCHITECTURES.flops)
        rows = _with_costs(selection, *columns).where(_ARCHITECTURES.params.is_not(None))
        for indices, params, flops in stream(self._connection, rows, _RESULTS.arch_index):
            yield CostBlock(
                arch_indices=np.array(indices, np.int64),
                params=np.array(params, np.uint64),
                flops=np.array(flops, np.uint64),
            )

    def without_costs(self, selection: Selection) -> int:
        """Return of how many selected results' models params and FLOPs are not stored."""
        missing = _with_costs(selection, func.count())
        missing = missing.where(_ARCHITECTURES.params.is_(None))
        return int(self._connection.execute(missing).scalar_one())

    def all_costs(self, shape: ModelShape) -> dict[int, tuple[int, int]]:
        """Return (params, flops) of all models of a shape that are stored, by arch index."""
        return all_costs(self._connection, shape)

    def devices(self) -> list[str]:
        """Return the devices that have latencies, by name."""
        rows = select(_LATENCIES.device).distinct().order_by(_LATENCIES.device)
        return list(self._connection.scalars(rows))

    def measured_devices(self, indices: range) -> list[MeasuredDevice]:
        """Return the devices of which it is known how they were measured, by name.

        Their unstable measurements are those of arch indices of the range.
        """
        found = measured_devices(self._connection, indices)
        return sorted(found, key=lambda device: device.name)

    def latencies(self, device: str, indices: range) -> Iterator[LatencyBlock]:
        """Yield arch indices of a range, and their latencies on a device in milliseconds."""
        rows = select(_LATENCIES.arch_index, _LATENCIES.latency_ms).where(
            _LATENCIES.device == device,
            _LATENCIES.arch_index.between(indices.start, indices.stop - 1),
        )
        for found, latencies_ms in stream(self._connection, rows, _LATENCIES.arch_index):
            yield np.array(found, np.int64), np.array(latencies_ms, np.float64)

    def latencies_of(self, arch_index: int) -> dict[str, float]:
        """Return the latencies of an architecture by device, in milliseconds."""
        rows = select(_LATENCIES.device, _LATENCIES.latency_ms).filter_by(arch_index=arch_index)
        found = self._connection.execute(rows.order_by(_LATENCIES.device))
        return {row.device: row.latency_ms for row in found}


def _with_costs(selection: Selection, *columns: Any) -> Select[Any]:
    shape = selection.run.shape.to_dict()
    same = [_ARCHITECTURES[name] == value for name, value in shape.items()]
    joined = schema.results.outerjoin(
        schema.architectures, and_(_ARCHITECTURES.arch_index == _RESULTS.arch_index, *same)
    )
    return select(*columns).select_from(joined).where(selection.condition)
