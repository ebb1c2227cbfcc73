"""What is known of architectures without training them: params, FLOPs, latencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, func, select

from blox_core.recipe import ModelShape
from blox_store.errors import StoreError
from blox_store.store import schema
from blox_store.store.database.database import StorePart
from blox_store.store.database.upsert import insert_new_numbers, one_at_a_time
from blox_store.store.latencies.devices import take_latencies
from blox_store.store.values import MeasuredDevice

_COSTS: Final = ("arch_index", "params", "flops")
_INGESTION_LOCK: Final = 0x626C6F79


class StaticInfo(StorePart):
    """Params and FLOPs by architecture and model shape, latencies by architecture and device."""

    def add_architectures(self, shape: ModelShape, rows: Iterable[tuple[int, int, int]]) -> None:
        """Store (arch index, params, flops) of models of a shape; known ones are passed over."""
        with self._database.write() as connection:
            _insert_costs(connection, shape, list(rows))

    def architecture_count(self, shape: ModelShape) -> int:
        """Return the number of architectures of a shape that are stored."""
        with self._database.read() as connection:
            count = (
                select(func.count()).select_from(schema.architectures).filter_by(**shape.to_dict())
            )
            return connection.execute(count).scalar_one()

    def add_known(
        self,
        shape: ModelShape,
        costs: Mapping[int, tuple[int, int]],
        latencies_ms: Mapping[str, Mapping[int, float]],
        devices: Mapping[str, MeasuredDevice],
    ) -> None:
        """Store params and FLOPs of a shape, and latencies by device, that may be there already.

        `devices` says how latencies were measured, where that is known. Raises StoreError, and
        changes nothing, if something is there and differs, and for a latency that is not there of
        a device that the store measures itself.
        """
        with self._database.write() as connection:
            one_at_a_time(connection, _INGESTION_LOCK)
            _refuse_other_costs(connection, shape, costs)
            _insert_costs(connection, shape, [(index, *of_it) for index, of_it in costs.items()])
            for device, of_device in latencies_ms.items():
                take_latencies(connection, device, of_device, devices.get(device))


def all_costs(connection: Connection, shape: ModelShape) -> dict[int, tuple[int, int]]:
    """Return (params, flops) of all models of a shape by arch index, in the transaction."""
    rows = connection.execute(select(schema.architectures).filter_by(**shape.to_dict()))
    return {row.arch_index: (row.params, row.flops) for row in rows}


def _refuse_other_costs(
    connection: Connection, shape: ModelShape, costs: Mapping[int, tuple[int, int]]
) -> None:
    for index, stored in all_costs(connection, shape).items():
        if costs.get(index, stored) != stored:
            raise StoreError(
                f"the store has params and FLOPs {stored} of architecture {index} in the shape "
                f"{shape.to_dict()}, the release {costs[index]}; nothing was changed"
            )


def _insert_costs(
    connection: Connection, shape: ModelShape, rows: Sequence[tuple[int, int, int]]
) -> None:
    """Insert (arch index, params, flops) of a shape, passing over those that are there."""
    if rows:
        columns = dict(zip(_COSTS, zip(*rows, strict=True), strict=True))
        insert_new_numbers(connection, schema.architectures, columns, **shape.to_dict())
