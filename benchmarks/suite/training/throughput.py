"""Parts models and jobs: models per hour, ours and the reference's, and of several side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean, median
from typing import Any, Final

from benchmarks.suite.report.row import Row
from benchmarks.suite.training.effort import Effort, Modes, published
from blox_core.data.noise import noise
from blox_core.errors import DeviceOutOfMemory
from blox_core.space import SPACE_SIZE, Architecture
from blox_core.throughput import Load, Throughput, measure
from blox_core.training.trainer import initial_model
from tests.support.reference_trainer import ReferenceTrainer

# The middles of three equal strata of all architectures by FLOPs.
SAMPLE: Final = (10_645, 83_352, 32_967)
SEED: Final = 1
HOUR_S: Final = 3600
GIB: Final = 2**30
REFERENCE: Final = "reference"
REFERENCE_EPOCHS: Final = 2  # timed ones, after one to warm up
LEAST_RATIO_ON_H100: Final = 10
ON_CPU: Final[Modes] = {
    "ours": {},
    "ours, compiled": {"compiled": True},
}
ON_CUDA: Final[Modes] = {
    "ours, eager": {"cuda_graphs": False},
    "ours": {},
    "ours, bf16": {"precision": "bf16"},
    "ours, bf16, compiled": {"precision": "bf16", "compiled": True},
}


def models(effort: Effort) -> Iterator[Row]:
    """Measure models per hour in every mode, one at a time, and the reference's."""
    means = {}
    for name, changes in effort.asked(ON_CPU, ON_CUDA).items():
        found = measure(_load(effort, **changes))
        means[name] = found.model_s
        yield Row(f"{name}, a model", _model_seconds(found), "s")
        yield from _costs(name, found.models_per_hour)
        yield from _memory(name, found)
    reference_s = _reference_seconds(effort)
    yield Row(f"{REFERENCE}, a model", reference_s, "s")
    yield from _costs(REFERENCE, HOUR_S / fmean(reference_s))
    for name, mean in means.items():
        least = LEAST_RATIO_ON_H100 if name == "ours" and effort.on_h100 else None
        title = f"{name} : {REFERENCE}, models/hour"
        yield Row(title, [fmean(reference_s) / mean], "x", at_least=least)


def jobs(effort: Effort) -> Iterator[Row]:
    """Measure models per hour of several processes side by side, up to what memory allows."""
    for count in effort.jobs:
        name = f"{count} at a time"
        try:
            found = measure(replace(_load(effort), processes=count))
        except DeviceOutOfMemory:
            return
        yield from _costs(name, found.models_per_hour)
        yield from _memory(name, found)


def _load(effort: Effort, **changes: Any) -> Load:
    """Return what one process trains: the published recipe, in batches that suit a CPU too."""
    return Load(
        recipe=published(batch_size=effort.batch, **changes),
        architectures=SAMPLE[: effort.sample],
        device=str(effort.device),
        share=effort.share,
    )


def _reference_seconds(effort: Effort) -> list[float]:
    """Return the reference's seconds of the epochs of each model, start-up and test left out."""
    given = _load(effort)
    recipe, data = given.timed_recipe, noise(given.timed_recipe)
    found = []
    for index in given.architectures:
        trainer = ReferenceTrainer(
            initial_model(Architecture(index), recipe, SEED),
            recipe,
            data,
            device=effort.device,
            workers=effort.workers,
        )
        trainer.epoch()
        epoch_s = median(trainer.epoch().seconds for _ in range(REFERENCE_EPOCHS))
        found.append(given.recipe.epochs * epoch_s * given.scale)
    return found


def _model_seconds(found: Throughput) -> list[float]:
    """Return the seconds of each model that was timed, with the start-up of a usual one."""
    return [
        found.start_up_s + found.epochs * training.epoch_s + training.test_s
        for training in found.trainings
    ]


def _costs(name: str, per_hour: float) -> Iterator[Row]:
    """Yield models per hour, and the hours of the device for all architectures."""
    yield Row(name, [per_hour], "models/hour")
    yield Row(f"{name}, all models", [SPACE_SIZE / per_hour], "hours")


def _memory(name: str, found: Throughput) -> Iterator[Row]:
    """Yield the most memory that was taken: of the GPU in all, or of one process on a CPU."""
    taken = found.device_bytes or found.resident_bytes
    if taken is not None:
        yield Row(f"{name}, peak memory", [taken / GIB], "GiB")
