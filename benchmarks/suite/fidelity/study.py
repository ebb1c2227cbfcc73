"""The trainings of the fidelity study: digits, the published augmentation, two trainers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import torch

from blox_core.data import load_data
from blox_core.recipe import Recipe, preset
from blox_core.result.metrics import Curves
from blox_core.space import Architecture
from blox_core.training import train
from tests.support import reference_trainer

ENGINE, REFERENCE = "engine", "reference"
TRAINERS: Final = (ENGINE, REFERENCE)
DATA_DIR: Final = "data"  # the digits need none


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of the study."""

    trainer: str
    arch_index: int
    seed: int
    recipe: Recipe
    device: str


def study_recipe(images: int, epochs: int) -> Recipe:
    """Return the recipe of the study: digits with all the augmentation of the published one.

    It is the preset's but for a larger learning rate, so that a few epochs teach something.
    """
    published = preset("cifar100")
    return replace(
        preset("digits"),
        train_images=images,
        epochs=epochs,
        lr=0.02,
        randaugment_ops=published.randaugment_ops,
        randaugment_magnitude=published.randaugment_magnitude,
        flip_probability=published.flip_probability,
        crop_padding=published.crop_padding,
        cutout_size=published.cutout_size,
    )


def trainings(
    recipe: Recipe, architectures: Sequence[int], seeds: int, device: str
) -> list[Training]:
    """Return the trainings by both trainers, alternately."""
    return [
        Training(trainer=trainer, arch_index=index, seed=seed, recipe=recipe, device=device)
        for index, seed, trainer in product(architectures, range(seeds), TRAINERS)
    ]


def all_curves(wanted: Sequence[Training], processes: int) -> Iterator[Curves]:
    """Yield the curves of trainings in their order, some of them trained at a time."""
    spawning = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA
    with ProcessPoolExecutor(processes, mp_context=spawning) as pool:
        yield from pool.map(curves, wanted)


def curves(training: Training) -> Curves:
    """Train, and return the curves; no two trainings share a random number."""
    recipe, architecture = training.recipe, Architecture(training.arch_index)
    data = load_data(recipe, DATA_DIR)
    torch.set_num_threads(recipe.cpu_threads)  # the engine does it by itself
    train_one = train if training.trainer == ENGINE else reference_trainer.train
    return train_one(architecture, recipe, training.seed, device=training.device, data=data).curves
