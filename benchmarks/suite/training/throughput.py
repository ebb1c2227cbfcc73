"""Parts models and jobs: models per hour, ours and the reference's, and of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Final

import torch

from benchmarks.suite.training.figures import Effort, Figure, Modes, asked
from blox_core.data.noise import noise
from blox_core.errors import DeviceOutOfMemory
from blox_core.recipe import Recipe, preset
from blox_core.space import SPACE_SIZE, Architecture
from blox_core.throughput import Load, Throughput, measure
from blox_core.training.trainer import initial_model
from tests.support.reference_trainer import ReferenceTrainer

MODELS: Final = "models"
JOBS: Final = "jobs"
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


def model_figures(effort: Effort) -> list[Figure]:
    """Measure models per hour in every mode, one at a time, and the reference's."""
    modes = asked(ON_CUDA if effort.device.type == "cuda" else ON_CPU, effort)
    figures, means = [], {}
    for name, changes in modes.items():
        found = measure(load(effort, replace(recipe_of(effort), **changes)))
        means[name] = found.model_s
        figures += [seconds(name, model_seconds(found)), *costs(name, 1, found.model_s)]
        figures += memory(name, found, MODELS)
    reference = reference_seconds(effort)
    figures += [seconds(REFERENCE, reference), *costs(REFERENCE, 1, fmean(reference))]
    return figures + [
        Figure(
            part=MODELS,
            name=f"{name} : {REFERENCE}, models/hour",
            unit="x",
            runs=(fmean(reference) / mean,),
            at_least=LEAST_RATIO_ON_H100 if name == "ours" and on_h100(effort.device) else None,
        )
        for name, mean in means.items()
    ]


def job_figures(effort: Effort) -> list[Figure]:
    """Measure models per hour of several processes side by side, up to what memory allows."""
    figures: list[Figure] = []
    for count in effort.jobs:
        name = f"{count} at a time"
        try:
            found = measure(replace(load(effort, recipe_of(effort)), processes=count))
        except DeviceOutOfMemory:
            break
        figures += [*costs(name, count, found.model_s, JOBS), *memory(name, found, JOBS)]
    return figures


def load(effort: Effort, recipe: Recipe) -> Load:
    """Return what one process trains."""
    sample = SAMPLE[: effort.sample]
    return Load(recipe=recipe, architectures=sample, device=str(effort.device), share=effort.share)


def recipe_of(effort: Effort) -> Recipe:
    """Return the published recipe, in batches that suit a CPU too, by the threads of torch now."""
    return replace(preset("cifar100"), batch_size=effort.batch, cpu_threads=torch.get_num_threads())


def reference_seconds(effort: Effort) -> tuple[float, ...]:
    """Return the reference's seconds of the epochs of each model, start-up and test left out."""
    given = load(effort, recipe_of(effort))
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
    return tuple(found)


def model_seconds(found: Throughput) -> tuple[float, ...]:
    """Return the seconds of each model that was timed, with the start-up of a usual one."""
    return tuple(
        found.start_up_s + found.epochs * training.epoch_s + training.test_s
        for training in found.trainings
    )


def seconds(name: str, values: Sequence[float]) -> Figure:
    """Return the row of seconds a model, each of another architecture."""
    return Figure(part=MODELS, name=f"{name}, a model", unit="s", runs=tuple(values))


def costs(name: str, processes: int, model_s: float, part: str = MODELS) -> list[Figure]:
    """Return models per hour, and the hours of the device for all architectures."""
    per_hour = processes * HOUR_S / model_s
    return [
        Figure(part=part, name=name, unit="models/hour", runs=(per_hour,)),
        Figure(part=part, name=f"{name}, all models", unit="hours", runs=(SPACE_SIZE / per_hour,)),
    ]


def memory(name: str, found: Throughput, part: str) -> list[Figure]:
    """Return the most memory that was taken: of the GPU in all, or of one process on a CPU."""
    taken = found.device_bytes or found.resident_bytes
    if taken is None:
        return []
    return [Figure(part=part, name=f"{name}, peak memory", unit="GiB", runs=(taken / GIB,))]


def on_h100(device: torch.device) -> bool:
    """Return whether bounds of an H100 count."""
    return device.type == "cuda" and "H100" in torch.cuda.get_device_name(device)
