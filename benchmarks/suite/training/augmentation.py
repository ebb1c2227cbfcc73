"""Part augmentation: images per second from bytes to a model's input, ours and torchvision's."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.suite.report.row import Row
from benchmarks.suite.training.effort import Effort, measured, published, ratio
from blox_core.data import TrainingData
from blox_core.data.noise import noise
from blox_core.recipe import Recipe
from blox_core.training.batches import Batches
from tests.support import pil_augmentation
from tests.support.reference_trainer import LabelledImages

SEED: Final = 1
CHECKED_IMAGES: Final = 512
# The peers' share of the images: their rate does not depend on the number.
LOADER_SHARE, SINGLE_SHARE = 8, 32
LEAST_RATIO_ON_CPU: Final = 10
LEAST_RATE_ON_H100: Final = 300_000
# A GPU divides by 255 in another way, which may change the last bit.
TOLERANCE: Final = {"cpu": 0.0, "cuda": 1e-6}


def augmentation(effort: Effort) -> Iterator[Row]:
    """Check that outputs agree, then measure by turns."""
    device, recipe = effort.device, _of_images(effort.images)
    check(device)
    data = noise(recipe)
    single = _plain(recipe, data, max(effort.images // SINGLE_SHARE, 1))
    batches = Batches(recipe, data, device)
    loader = DataLoader(
        _plain(recipe, data, max(effort.images // LOADER_SHARE, 1)),
        recipe.batch_size,
        num_workers=effort.workers,
        persistent_workers=effort.workers > 0,
    )
    by_loader = f"torchvision, DataLoader, {effort.workers} workers"
    contenders = {
        "ours": lambda: _rate(_inputs(batches), device),
        "torchvision, one by one": lambda: _rate(
            (single[index][0][None] for index in range(len(single))), device
        ),
        by_loader: lambda: _rate((pixels for pixels, _ in loader), device),
    }
    runs = measured(contenders, effort.runs)
    least_rate = LEAST_RATE_ON_H100 if effort.on_h100 else None
    least_ratio = None if effort.on_cuda else LEAST_RATIO_ON_CPU
    for name, values in runs.items():
        yield Row(name, values, "images/s", at_least=least_rate if name == "ours" else None)
    ours = runs.pop("ours")
    for name, values in runs.items():
        least = least_ratio if name == by_loader else None
        yield ratio(f"ours : {name}", ours, values, at_least=least)


def check(device: torch.device) -> None:
    """Assert that ours and torchvision give a model the same input for the same parameters."""
    recipe = _of_images(CHECKED_IMAGES)
    ours = torch.cat([pixels.cpu() for pixels in _inputs(Batches(recipe, noise(recipe), device))])
    expected = pil_augmentation.epoch_input(recipe, noise(recipe).train_images, SEED, 1)
    difference = (ours - expected).abs().max().item()
    if difference > TOLERANCE[device.type]:
        raise AssertionError(f"inputs of a model differ from torchvision's by {difference}")


def _plain(recipe: Recipe, data: TrainingData, count: int) -> LabelledImages:
    """Return the first training images as the published pipeline augments them, one at a time."""
    augment = pil_augmentation.published(recipe)
    return LabelledImages(data.train_images[:count], data.train_labels[:count], augment)


def _rate(batches: Iterable[Tensor], device: torch.device) -> float:
    """Return the images per second of going through batches."""
    start = time.perf_counter()
    images = sum(len(pixels) for pixels in batches)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return images / (time.perf_counter() - start)


def _inputs(batches: Batches) -> Iterator[Tensor]:
    """Yield what a model gets in a first epoch."""
    for positions in batches.training(SEED, 1):
        pixels, _ = batches.training_batch(positions)
        yield pixels


def _of_images(count: int) -> Recipe:
    """Return the published recipe for so many training images."""
    return published(train_images=count, val_images=1, test_images=1)
