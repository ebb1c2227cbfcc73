"""What is known of architectures without training them: params, FLOPs, latencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from blox_store.store import schema
from blox_store.store.database import Database
from blox_store.store.upsert import insert_or_ignore

_ROWS_PER_STATEMENT: Final = 5000


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
            statement = insert_or_ignore(connection.dialect, schema.architectures)
            for start in range(0, len(values), _ROWS_PER_STATEMENT):
                connection.execute(statement, values[start : start + _ROWS_PER_STATEMENT])

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

    def latencies(self, connection: Connection) -> dict[str, dict[int, float]]:
        """Return all latencies in milliseconds, device -> arch index, in the transaction."""
        found: dict[str, dict[int, float]] = {}
        rows = select(schema.latencies).order_by(
            schema.latencies.c.device, schema.latencies.c.arch_index
        )
        for row in connection.execute(rows):
            found.setdefault(row.device, {})[row.arch_index] = row.latency_ms
        return found
