"""Images of noise, for measurements of speed."""

from __future__ import annotations

from typing import Any

import numpy as np

from blox_core.data.training_data import SPLITS, TrainingData
from blox_core.recipe import Recipe


def noise(recipe: Recipe, *, seed: int = 0) -> TrainingData:
    """Return random images and labels of the recipe's numbers and sizes; no file is needed."""
    generator = np.random.default_rng(seed)
    parts: dict[str, Any] = {}
    for split in SPLITS:
        count, side = recipe.images(split), recipe.resolution
        shape = (count, side, side, 3)
        parts[f"{split}_images"] = generator.integers(0, 256, shape, dtype=np.uint8)
        parts[f"{split}_labels"] = generator.integers(0, recipe.classes, count)
    return TrainingData(**parts)
