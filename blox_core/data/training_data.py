"""The images and labels of a training, split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import RecipeError
from blox_core.recipe import Recipe

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """Images (n, height, width, 3), red first, and labels (n,) from 0, of the three splits."""

    train_images: Images
    train_labels: Labels
    val_images: Images
    val_labels: Labels
    test_images: Images
    test_labels: Labels

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError unless numbers, sizes and labels are those of the recipe."""
        for split in SPLITS:
            images, labels = getattr(self, f"{split}_images"), getattr(self, f"{split}_labels")
            count, side = recipe.images(split), recipe.resolution
            if images.shape != (count, side, side, 3) or labels.shape != (count,):
                raise RecipeError(
                    f"{split} data of images {images.shape} and labels {labels.shape}: "
                    f"the recipe allows ({count}, {side}, {side}, 3) and ({count},)"
                )
            if labels.min() < 0 or labels.max() >= recipe.classes:
                raise RecipeError(
                    f"{split} labels {labels.min()} to {labels.max()}: "
                    f"the recipe allows 0 to {recipe.classes - 1}"
                )


def permutation(images: int, seed: int) -> NDArray[np.int64]:
    """Return the order of a data set from which splits are cut: int64 (images,).

    `RandomState` is the published choice, and numpy keeps its streams for good.
    """
    return np.random.RandomState(seed).permutation(images).astype(np.int64)


def published_split(recipe: Recipe) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which images of CIFAR's training part are for training, and which for validation."""
    order = permutation(recipe.train_images + recipe.val_images, recipe.split_seed)
    return order[: recipe.train_images], order[recipe.train_images :]
