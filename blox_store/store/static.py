"""What is known of architectures without training them: params, FLOPs, latencies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, func, insert, select

from blox_store.errors import StoreError
from blox_store.store import schema
from blox_store.store.database import Database
from blox_store.store.result_blocks import stream
from blox_store.store.upsert import insert_or_ignore

_LATENCIES = schema.latencies.c
_ROWS_PER_STATEMENT: Final = 5000
_DECIMALS: Final = 6  # of a latency in a release


class StaticInfo:
    """Params and FLOPs by architecture and model shape, latencies by architecture and device."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_architectures(
        self, shape: Mapping[str, int], rows: Iterable[tuple[int, int, int]]
    ) -> None:
        """Store (arch index, params, flops) of models of a shape; known ones are passed over.

        `shape` has `stem_channels`, `classes` and `resolution`.
        """
        values = [
            {**shape, "arch_index": index, "params": params, "flops": flops}
            for index, params, flops in rows
        ]
        with self._database.write() as connection:
            _insert_new(connection, schema.architectures, values)

    def architecture_count(self, shape: Mapping[str, int]) -> int:
        """Return the number of architectures of a shape that are stored."""
        with self._database.read() as connection:
            count = select(func.count()).select_from(schema.architectures).filter_by(**shape)
            return connection.execute(count).scalar_one()

    def architectures(
        self, connection: Connection, shape: Mapping[str, int]
    ) -> dict[int, tuple[int, int]]:
        """Return (params, flops) by arch index, within the caller's transaction."""
        rows = connection.execute(select(schema.architectures).filter_by(**shape))
        return {row.arch_index: (row.params, row.flops) for row in rows}

    def add_latencies(self, device: str, latencies_ms: Mapping[int, float]) -> None:
        """Store the latencies of architectures on a device, in milliseconds."""
        rows: list[dict[str, Any]] = [
            {"device": device, "arch_index": index, "latency_ms": latency_ms}
            for index, latency_ms in latencies_ms.items()
        ]
        with self._database.write() as connection:
            connection.execute(insert(schema.latencies), rows)

    def add_known(
        self,
        shape: Mapping[str, int],
        costs: Mapping[int, tuple[int, int]],
        latencies_ms: Mapping[str, Mapping[int, float]],
    ) -> None:
        """Store params and FLOPs of a shape, and latencies by device, that may be there already.

        Raises StoreError, and changes nothing, if one is there and differs.
        """
        with self._database.write() as connection:
            self._refuse_other_costs(connection, shape, costs)
            rows = [
                {**shape, "arch_index": index, "params": params, "flops": flops}
                for index, (params, flops) in costs.items()
            ]
            _insert_new(connection, schema.architectures, rows)
            for device, of_device in latencies_ms.items():
                _refuse_other_latencies(connection, device, of_device)
                latencies: list[dict[str, Any]] = [
                    {"device": device, "arch_index": index, "latency_ms": latency_ms}
                    for index, latency_ms in of_device.items()
                ]
                _insert_new(connection, schema.latencies, latencies)

    def _refuse_other_costs(
        self,
        connection: Connection,
        shape: Mapping[str, int],
        costs: Mapping[int, tuple[int, int]],
    ) -> None:
        for index, stored in self.architectures(connection, shape).items():
            if costs.get(index, stored) != stored:
                raise StoreError(
                    f"the store has params and FLOPs {stored} of architecture {index} in the shape "
                    f"{dict(shape)}, the release {costs[index]}; nothing was changed"
                )

    def devices(self, connection: Connection) -> list[str]:
        """Return the devices that have latencies, by name, within the caller's transaction."""
        rows = select(_LATENCIES.device).distinct().order_by(_LATENCIES.device)
        return list(connection.scalars(rows))

    def latency_blocks(
        self, connection: Connection, device: str, indices: range
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Yield arch indices of a range, and their latencies on a device in milliseconds."""
        rows = select(_LATENCIES.arch_index, _LATENCIES.latency_ms).where(
            _LATENCIES.device == device,
            _LATENCIES.arch_index >= indices.start,
            _LATENCIES.arch_index < indices.stop,
        )
        for found, latencies_ms in stream(connection, rows.order_by(_LATENCIES.arch_index)):
            yield np.array(found, np.int64), np.array(latencies_ms, np.float64)


def _insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, passing over those whose key is there."""
    statement = insert_or_ignore(connection.dialect, table)
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        connection.execute(statement, rows[start : start + _ROWS_PER_STATEMENT])


def _refuse_other_latencies(
    connection: Connection, device: str, latencies_ms: Mapping[int, float]
) -> None:
    rows = select(_LATENCIES.arch_index, _LATENCIES.latency_ms).filter_by(device=device)
    for index, stored in connection.execute(rows):
        if round(stored, _DECIMALS) != latencies_ms.get(index, round(stored, _DECIMALS)):
            raise StoreError(
                f"the store has a latency of {stored} ms of architecture {index} on {device}, the "
                f"release {latencies_ms[index]}; nothing was changed"
            )
