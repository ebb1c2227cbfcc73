"""Measurements of latencies: written once under a lease, as results of trainings are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select

from blox_core.latency import LatencyMeasurement, deciding_facts
from blox_store.errors import DeviceDiffers, StoreError
from blox_store.store import schema
from blox_store.store.jobs.leases import finish
from blox_store.store.latencies.devices import device_identities
from blox_store.store.results.written import Written, environment_id
from blox_store.store.values import JobState, Lease, Run


class Measurements(Written):
    """The measurements of a store; their medians are the latencies of `StaticInfo` too."""

    _table = schema.measurements

    def complete(
        self,
        run: Run,
        lease: Lease,
        measurement: LatencyMeasurement,
        *,
        identity: Mapping[str, Any],
    ) -> None:
        """Write a measurement, and the latency of the run's device, and end its job, all or nothing.

        `identity` says on what it was measured. Writing the same one again is a success, for a
        connection can drop during COMMIT. Raises LeaseLost as `Results.complete` does, DeviceDiffers
        as `check_device` does, and StoreError if a release that was ingested has given this latency.
        """
        with self._database.write() as connection:
            end = finish(
                lease,
                state=JobState.SUCCEEDED,
                epoch=run.epochs,
                recipe_fingerprint=run.recipe_fingerprint,
                seed=run.seed,
            )
            if self._end_job(connection, end, lease):
                _refuse_known(connection, run.dataset, lease.arch_index)
                device = _device_id(connection, run, identity)
                self._insert(connection, lease, {"environment_id": device, **_row(measurement)})
                latency = {"arch_index": lease.arch_index, "latency_ms": measurement.median_ms}
                connection.execute(insert(schema.latencies).values(device=run.dataset, **latency))

    def check_device(self, run: Run, identity: Mapping[str, Any]) -> None:
        """Raise DeviceDiffers if the run's latencies so far are of another device (`deciding_facts`)."""
        with self._database.read() as connection:
            _refuse_another(connection, run, identity)


def _device_id(connection: Connection, run: Run, identity: Mapping[str, Any]) -> int:
    """Return the id of an identity, which is stored if it is new; the first decides on the device.

    Two machines that start together both find none: they come here one after the other.
    """
    one_by_one = select(schema.runs.c.id).filter_by(id=run.id).with_for_update(key_share=True)
    connection.execute(one_by_one)
    _refuse_another(connection, run, identity)
    return environment_id(connection, identity)


def _refuse_another(connection: Connection, run: Run, identity: Mapping[str, Any]) -> None:
    here = deciding_facts(identity)
    for other in device_identities(connection, run.id):
        apart = sorted(name for name, value in here.items() if value != other.get(name))
        if apart:
            told = ", ".join(f"{name} {here[name]!r}, not {other.get(name)!r}" for name in apart)
            raise DeviceDiffers(
                f"{run}: this machine differs from the one that was measured so far: {told}; "
                "measure it under another --device-name"
            )


def _refuse_known(connection: Connection, device: str, arch_index: int) -> None:
    known = select(func.count()).select_from(schema.latencies)
    if connection.scalar(known.filter_by(device=device, arch_index=arch_index)):
        raise StoreError(
            f"the store has a latency of architecture {arch_index} on {device} that no run of it "
            "has measured; measure under another --device-name"
        )


def _row(measurement: LatencyMeasurement) -> dict[str, Any]:
    columns = {"runs": "timed_runs", "stable": "is_stable"}
    return {columns.get(name, name): value for name, value in measurement.to_dict().items()}
