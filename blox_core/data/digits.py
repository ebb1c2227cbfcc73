"""scikit-learn's digits: 1,797 images of 8 x 8 pixels, which need no download."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from blox_core.data.training_data import Images, TrainingData, permutation
from blox_core.errors import RecipeError
from blox_core.extras import optional_file
from blox_core.recipe import Recipe

FULL_INK: Final = 16  # the darkest pixel of the data set, which counts set pixels of 4 x 4
FULL_BYTE: Final = 255
COLOURS: Final = 3
_SIDE: Final = 8
_FILE: Final = "datasets/data/digits.csv.gz"


def load_digits(recipe: Recipe) -> TrainingData:
    """Return the digits, enlarged to the recipe's resolution, as the recipe splits them.

    In the order of the recipe's permutation come the training, validation and test images; the
    rest is left out. Raises ExtraMissing without scikit-learn, RecipeError for too many images.
    """
    ink, labels = _ink_and_labels()
    images = enlarge(ink, recipe.resolution)
    sizes = (recipe.train_images, recipe.val_images, recipe.test_images)
    if sum(sizes) > len(images):
        raise RecipeError(
            f"recipe fields train_images + val_images + test_images = {sum(sizes)}: "
            f"at most {len(images)} is allowed by the data set"
        )
    order = permutation(len(images), recipe.split_seed)
    train, val, test, _ = np.split(order, np.cumsum(sizes))
    data = TrainingData(
        train_images=images[train],
        train_labels=labels[train],
        val_images=images[val],
        val_labels=labels[val],
        test_images=images[test],
        test_labels=labels[test],
    )
    data.check(recipe)
    return data


def _ink_and_labels() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return what `sklearn.datasets.load_digits` does: ink (1797, 8, 8) and labels (1797,), int64.

    They are read without scikit-learn's code, whose import takes almost as long as PyTorch's.
    """
    file = optional_file("sklearn", _FILE, package="scikit-learn", extra="demo")
    rows = np.loadtxt(file, delimiter=",").astype(np.int64)
    return rows[:, :-1].reshape(-1, _SIDE, _SIDE), rows[:, -1]


def enlarge(ink: np.ndarray[Any, Any], resolution: int) -> Images:
    """Turn ink of 0 … 16, (n, side, side), into grey images: uint8 (n, resolution, resolution, 3).

    Pixel p of a row is the nearest one, ⌊p · side / resolution⌋; ink v becomes v · 255 / 16,
    rounded half up, in all three colours.
    """
    grey = (ink.astype(np.int64) * FULL_BYTE + FULL_INK // 2) // FULL_INK
    nearest = np.arange(resolution) * ink.shape[1] // resolution
    large = grey[:, nearest][:, :, nearest].astype(np.uint8)
    return np.repeat(large[..., None], COLOURS, axis=-1)
