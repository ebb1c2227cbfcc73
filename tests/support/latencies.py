"""Made-up measurements of latencies, and a device that has some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sqlalchemy import insert, select

from blox_core.latency import (
    LATENCY,
    LATENCY_REVISION,
    DeviceIdentity,
    LatencyMeasurement,
    LatencyPredictor,
    LatencyProtocol,
    predictor,
    preset,
)
from blox_store.store import Run, Store, schema
from blox_store.store.latencies.devices import device_identities

PROTOCOL = preset("torch-cpu")
# Of `blox init-latency`, for measurements that take milliseconds.
QUICK = (
    "--set stem_channels=4 --set resolution=8 --set classes=10 "
    "--set least_warm_up=2 --set most_warm_up=4 --set timed_runs=3"
)
IDENTITY = DeviceIdentity(
    name="a CPU",
    clock_mhz=None,
    cores=2,
    instructions="AVX2",
    driver="none",
    cuda="none",
    cudnn="none",
    torch="2.14.1",
    onnxruntime="none",
    python="3.11.7",
    system="Linux",
).to_dict()


def made_up_predictor(*, deviation: float = 0.0) -> LatencyPredictor:
    """Return parts of ops that take 1, 2 and 3 ms, doubled in each stage, and deviations."""
    generator = np.random.default_rng(0)
    usual = predictor._counts() @ [1.0, 2.0, 3.0, 0.1]
    parts = [2**stage * usual + deviation * generator.standard_normal(45) for stage in range(3)]
    table = tuple(tuple(map(float, part)) for part in parts)
    return LatencyPredictor(constant_ms=1.5, parts_ms=table, error_percent=0.0)


def measured(median_ms: float = 3.5, *, stable: bool = False) -> LatencyMeasurement:
    """Return a measurement with this median."""
    return LatencyMeasurement(
        median_ms=median_ms, iqr_ms=0.25, least_ms=3.0, runs=50, warm_up_runs=12, stable=stable
    )


def measuring_run(
    store: Store,
    device: str = "cpu-1",
    protocol: LatencyProtocol = PROTOCOL,
    indices: Iterable[int] = (3, 5),
) -> Run:
    """Return a run that measures architectures on a device, or what there is of it."""
    return store.runs.create(
        dataset=device,
        recipe=protocol,
        seed=0,
        trainer=LATENCY,
        trainer_revision=LATENCY_REVISION,
        indices=indices,
    ).run


def measure_all(store: Store, device: str, stable: Mapping[int, bool]) -> Run:
    """Return a run that has measured architectures, stable or not."""
    run = measuring_run(store, device, indices=stable)
    for index, is_stable in stable.items():
        lease = store.jobs.claim(
            run, index, worker="w@here", trainer_revision=LATENCY_REVISION, lease_s=60
        )
        measurement = measured(stable=is_stable)
        store.measurements.complete(run, lease, measurement, identity=IDENTITY)
    return run


def add_latencies(store: Store, device: str, latencies_ms: Mapping[int, float]) -> None:
    """Put latencies into a store of which nobody knows how they were measured."""
    rows = [
        {"device": device, "arch_index": index, "latency_ms": latency_ms}
        for index, latency_ms in latencies_ms.items()
    ]
    with store._database.write() as connection:
        connection.execute(insert(schema.latencies), rows)


def measurements(store: Store, run_id: int) -> dict[int, LatencyMeasurement]:
    """Return the measurements of a run by arch index."""
    rows = select(schema.measurements).filter_by(run_id=run_id).order_by("arch_index")
    with store._database.read() as connection:
        return {
            row.arch_index: LatencyMeasurement(
                median_ms=row.median_ms,
                iqr_ms=row.iqr_ms,
                least_ms=row.least_ms,
                runs=row.timed_runs,
                warm_up_runs=row.warm_up_runs,
                stable=row.is_stable,
            )
            for row in connection.execute(rows)
        }


def identities(store: Store, run_id: int) -> list[dict[str, Any]]:
    """Return on what the latencies of a run were measured, each once."""
    with store._database.read() as connection:
        return device_identities(connection, run_id)
