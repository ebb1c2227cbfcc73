"""How the latencies of a device were measured, here or before they came with a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from blox_core.latency import LATENCY, LATENCY_DECIMALS
from blox_core.space import SPACE_SIZE
from blox_store.errors import StoreError
from blox_store.store import schema
from blox_store.store.database.upsert import insert_new
from blox_store.store.values import MeasuredDevice

_RUNS = schema.runs.c
_MEASUREMENTS = schema.measurements.c
_LATENCIES = schema.latencies.c


def measured_devices(connection: Connection, indices: range) -> Iterator[MeasuredDevice]:
    """Yield the devices of which a run or a release says how they were measured.

    Their unstable measurements are those of arch indices of the range.
    """
    rows = select(_RUNS.id, _RUNS.dataset, _RUNS.recipe, _RUNS.recipe_fingerprint)
    for row in connection.execute(rows.filter_by(trainer=LATENCY)).all():
        yield MeasuredDevice(
            name=row.dataset,
            protocol=row.recipe,
            protocol_fingerprint=row.recipe_fingerprint,
            identities=tuple(device_identities(connection, row.id)),
            unstable=_unstable(connection, row.id, indices),
        )
    yield from _of_releases(connection, indices)


def device_identities(connection: Connection, run_id: int) -> list[dict[str, Any]]:
    """Return on what a run was measured, each identity once."""
    of_run = select(_MEASUREMENTS.environment_id).filter_by(run_id=run_id)
    found = schema.environments.c
    rows = select(found.strings).where(found.id.in_(of_run)).order_by(found.id)
    return [dict(strings) for strings in connection.scalars(rows)]


def take_latencies(
    connection: Connection,
    name: str,
    latencies_ms: Mapping[int, float],
    described: MeasuredDevice | None,
) -> None:
    """Store latencies of a release that may be there already, and how they were measured.

    Raises StoreError if one is there and differs, if a run of the store measures that device and
    has not that architecture yet, and if those that are there were measured otherwise. A release
    that has all of them, and says how, may tell it of those of which nobody knew.
    """
    rows = connection.execute(
        select(_LATENCIES.arch_index, _LATENCIES.latency_ms).filter_by(device=name)
    )
    stored = {row.arch_index: row.latency_ms for row in rows}
    _refuse_others(name, stored, latencies_ms)
    new = sorted(latencies_ms.keys() - stored.keys())
    if _is_measured_here(connection, name):
        _refuse_mixture(name, new)
        return
    released = {one.name: one for one in _of_releases(connection, range(SPACE_SIZE))}
    known = released.get(name)
    is_told = known is None and described is not None and stored.keys() <= latencies_ms.keys()
    if new and stored and not is_told:
        _refuse_other_protocols(name, known, described)
    if described is not None and (new or is_told):
        _describe(connection, described, known)
    insert_new(
        connection,
        schema.latencies,
        [{"device": name, "arch_index": i, "latency_ms": latencies_ms[i]} for i in new],
    )


def _unstable(connection: Connection, run_id: int, indices: range) -> tuple[int, ...]:
    rows = (
        select(_MEASUREMENTS.arch_index)
        .where(
            _MEASUREMENTS.run_id == run_id,
            _MEASUREMENTS.is_stable.is_(False),
            _MEASUREMENTS.arch_index.between(indices.start, indices.stop - 1),
        )
        .order_by(_MEASUREMENTS.arch_index)
    )
    return tuple(connection.scalars(rows))


def _of_releases(connection: Connection, indices: range) -> Iterator[MeasuredDevice]:
    for row in connection.execute(select(schema.released_devices)).all():
        yield MeasuredDevice(
            name=row.name,
            protocol=row.protocol,
            protocol_fingerprint=row.protocol_fingerprint,
            identities=tuple(row.identities),
            unstable=tuple(index for index in row.unstable if index in indices),
        )


def _refuse_others(
    name: str, stored: Mapping[int, float], latencies_ms: Mapping[int, float]
) -> None:
    for index, known in stored.items():
        released = round(known, LATENCY_DECIMALS)
        if latencies_ms.get(index, released) != released:
            raise StoreError(
                f"the store has a latency of {known} ms of architecture {index} on {name}, the "
                f"release {latencies_ms[index]}; nothing was changed"
            )


def _is_measured_here(connection: Connection, name: str) -> bool:
    runs = select(func.count()).select_from(schema.runs)
    return bool(connection.scalar(runs.filter_by(trainer=LATENCY, dataset=name)))


def _refuse_mixture(name: str, new: list[int]) -> None:
    """Keep the latencies of a run that measures its own: its protocol stands for all of them."""
    if new:
        raise StoreError(
            f"the release has latencies of {len(new)} architectures on {name}, such as {new[0]}, "
            "which a run of the store measures itself and has not yet; nothing was changed: "
            "ingest it once they are measured, or without that file"
        )


def _refuse_other_protocols(
    name: str, known: MeasuredDevice | None, described: MeasuredDevice | None
) -> None:
    fingerprints = [None if one is None else one.protocol_fingerprint for one in (known, described)]
    if len(set(fingerprints)) > 1:
        raise StoreError(
            f"the store has latencies on {name} by {_protocol(known)}, the release others by "
            f"{_protocol(described)}; nothing was changed: ingest it without that file"
        )


def _protocol(device: MeasuredDevice | None) -> str:
    if device is None:
        return "a protocol that nobody knows"
    return f"protocol {device.protocol_fingerprint[:8]}"


def _describe(
    connection: Connection, described: MeasuredDevice, known: MeasuredDevice | None
) -> None:
    """Write how a device was measured, with what is known of its earlier latencies."""
    before = described if known is None else known
    identities = [*before.identities, *described.identities]
    table = schema.released_devices
    connection.execute(delete(table).filter_by(name=described.name))
    connection.execute(
        insert(table).values(
            name=described.name,
            protocol=dict(described.protocol),
            protocol_fingerprint=described.protocol_fingerprint,
            identities=[
                one for place, one in enumerate(identities) if one not in identities[:place]
            ],
            unstable=sorted({*before.unstable, *described.unstable}),
        )
    )
