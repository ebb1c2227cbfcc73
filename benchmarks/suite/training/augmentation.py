"""Part augmentation: images per second from bytes to a model's input, ours and torchvision's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.suite.training.figures import Effort, Figure, measured
from blox_core.augment import draw_parameters
from blox_core.data import TrainingData
from blox_core.data.noise import noise
from blox_core.randomness import epoch_order
from blox_core.recipe import Recipe, preset
from blox_core.training.batches import Batches
from tests.support import pil_augmentation
from tests.support.reference_trainer import LabelledImages

PART: Final = "augmentation"
SEED: Final = 1
CHECKED_IMAGES: Final = 512
# The peers' share of the images: their rate does not depend on the number.
LOADER_SHARE, SINGLE_SHARE = 8, 32
LEAST_RATIO_ON_CPU: Final = 10
LEAST_RATE_ON_H100: Final = 300_000
# A GPU divides by 255 in another way, which may change the last bit.
TOLERANCE: Final = {"cpu": 0.0, "cuda": 1e-6}


def augmentation_figures(effort: Effort) -> list[Figure]:
    """Check that outputs agree, then measure by turns."""
    check(effort.device)
    recipe = of_images(effort.images)
    data = noise(recipe)
    published = published_images(recipe, data, max(effort.images // LOADER_SHARE, 1))
    single = published_images(recipe, data, max(effort.images // SINGLE_SHARE, 1))
    batches = Batches(recipe, data, effort.device)
    loader = DataLoader(
        published, recipe.batch_size, num_workers=effort.workers, persistent_workers=True
    )
    names = (
        "ours",
        "torchvision, one by one",
        f"torchvision, DataLoader, {effort.workers} workers",
    )
    contenders: tuple[Callable[[], float], ...] = (
        lambda: rate(inputs(batches), effort.device),
        lambda: rate((single[index][0][None] for index in range(len(single))), effort.device),
        lambda: rate((pixels for pixels, _ in loader), effort.device),
    )
    runs = measured(dict(zip(names, contenders, strict=True)), effort.runs)
    return [*rates(runs, effort.device), *ratios(runs, effort.device)]


def published_images(recipe: Recipe, data: TrainingData, count: int) -> LabelledImages:
    """Return the first training images as the published pipeline augments them, one at a time."""
    augment = pil_augmentation.published(recipe)
    return LabelledImages(data.train_images[:count], data.train_labels[:count], augment)


def rates(runs: dict[str, tuple[float, ...]], device: torch.device) -> list[Figure]:
    """Return the rows of images per second; ours has a bound on an H100."""
    on_h100 = device.type == "cuda" and "H100" in torch.cuda.get_device_name(device)
    return [
        Figure(
            part=PART,
            name=name,
            unit="images/s",
            runs=values,
            at_least=LEAST_RATE_ON_H100 if on_h100 and name == "ours" else None,
        )
        for name, values in runs.items()
    ]


def ratios(runs: dict[str, tuple[float, ...]], device: torch.device) -> list[Figure]:
    """Return how many times faster ours is, pair by pair; the DataLoader's has a bound on a CPU."""
    ours, *_ = runs.values()
    _, *peers = runs
    return [
        Figure(
            part=PART,
            name=f"ours : {peer}",
            unit="x",
            runs=tuple(mine / other for mine, other in zip(ours, runs[peer], strict=True)),
            at_least=LEAST_RATIO_ON_CPU if device.type == "cpu" and peer is peers[-1] else None,
        )
        for peer in peers
    ]


def rate(batches: Iterable[Tensor], device: torch.device) -> float:
    """Return the images per second of going through batches."""
    start = time.perf_counter()
    images = sum(len(pixels) for pixels in batches)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return images / (time.perf_counter() - start)


def inputs(batches: Batches) -> Iterator[Tensor]:
    """Yield what a model gets in a first epoch."""
    for positions in batches.training(SEED, 1):
        pixels, _ = batches.training_batch(positions)
        yield pixels


def check(device: torch.device) -> None:
    """Assert that ours and torchvision give a model the same input for the same parameters."""
    recipe = of_images(CHECKED_IMAGES)
    data = noise(recipe)
    parameters = draw_parameters(recipe, SEED, 1)
    expected = pil_augmentation.model_input(recipe, data.train_images, parameters)
    ours = torch.cat([pixels.cpu() for pixels in inputs(Batches(recipe, data, device))])
    difference = (ours - expected[epoch_order(CHECKED_IMAGES, SEED, 1)]).abs().max().item()
    if difference > TOLERANCE[device.type]:
        raise AssertionError(f"inputs of a model differ from torchvision's by {difference}")


def of_images(count: int) -> Recipe:
    """Return the published recipe for so many training images."""
    return replace(preset("cifar100"), train_images=count, val_images=1, test_images=1)
