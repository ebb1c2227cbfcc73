"""From a recipe to its data."""

from __future__ import annotations

from pathlib import Path

from blox_core.data.cifar import load_cifar
from blox_core.data.digits import load_digits
from blox_core.data.training_data import TrainingData
from blox_core.recipe import Recipe


def load_data(recipe: Recipe, data_dir: str | Path, *, download: bool = False) -> TrainingData:
    """Return the images and labels that a recipe trains and judges a model on.

    `data_dir` is where downloaded data sets lie, and where `download` puts a missing one. Raises
    DatasetMissing, or RecipeError where the recipe does not fit its data set.
    """
    if recipe.dataset == "digits":
        return load_digits(recipe)
    return load_cifar(recipe, Path(data_dir), download=download)
