"""A training of a fraction of a second, on synthetic images, and what to see of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from blox_core.checkpoint.checkpoint import Checkpoint
from blox_core.data import TrainingData
from blox_core.recipe import Recipe, preset
from blox_core.result.epoch_report import EpochReport
from blox_core.space import Architecture
from blox_core.training import TrainingResult, train

ARCHITECTURE = Architecture(18639)  # a lone conv in every stage: the quickest
ALL_OPS = [[[2], [1, 1, 1, 1]], [[0], [2, 0, 1, 1]], [[1], [0, 1, 0, 1]]]
SEED = 7
RECIPE = replace(
    preset("digits"),
    train_images=20,
    val_images=9,
    test_images=7,
    resolution=8,
    stem_channels=2,
    epochs=3,
    batch_size=8,
    eval_batch_size=4,
)
FEW = {"train_images": 8, "val_images": 4, "test_images": 4}  # one batch each
AUGMENTED = replace(
    RECIPE,
    randaugment_ops=2,
    randaugment_magnitude=14,
    flip_probability=0.5,
    crop_padding=2,
    cutout_size=3,
)


def synthetic_data(recipe: Recipe = RECIPE) -> TrainingData:
    """Return noise with a label in each image's brightness."""
    generator = np.random.RandomState(0)
    parts: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        count, side = getattr(recipe, f"{split}_images"), recipe.resolution
        labels = generator.randint(0, recipe.classes, count)
        noise = generator.randint(0, 64, (count, side, side, 3))
        parts[f"{split}_images"] = (noise + 19 * labels[:, None, None, None]).astype(np.uint8)
        parts[f"{split}_labels"] = labels
    return TrainingData(**parts)


class Observer:
    """Keeps the reports of a training and its last state."""

    def __init__(self) -> None:
        self.reports: list[EpochReport] = []

    def __call__(self, report: EpochReport) -> None:
        self.reports.append(report)


def run(recipe: Recipe = RECIPE, seed: int = SEED, **options: Any) -> TrainingResult:
    return train(ARCHITECTURE, recipe, seed, device="cpu", data=synthetic_data(recipe), **options)


@cache
def uninterrupted() -> TrainingResult:
    return run()


def figures(result: TrainingResult) -> tuple[Any, ...]:
    """Return everything of a result but its times, bit by bit."""
    curves = {name: array.tobytes() for name, array in vars(result.curves).items()}
    return curves, result.test, result.best_epoch, result.status


def state(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Return the bytes of every tensor of a checkpoint."""
    return {
        f"{part}.{name}": tensor.contiguous().numpy().tobytes()
        for part in ("model", "momentum", "best_model")
        for name, tensor in getattr(checkpoint, part).items()
    }


def stop_after(polls: int) -> Callable[[], bool]:
    """Return a request to stop that comes at the poll after this many."""
    count = iter(range(polls + 1))
    return lambda: next(count) == polls
