"""Made-up measurements of latencies, and a device that has some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

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
from blox_store.store import Run, Store

PROTOCOL = preset("torch-cpu")
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
