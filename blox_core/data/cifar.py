"""CIFAR-100 and CIFAR-10, through torchvision's data set classes."""

from __future__ import annotations

import warnings
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError
from typing import Any

import numpy as np

from blox_core.data.training_data import Images, Labels, TrainingData, published_split
from blox_core.errors import DatasetMissing, RecipeError
from blox_core.extras import optional_module
from blox_core.recipe import Recipe


def load_cifar(recipe: Recipe, data_dir: Path, *, download: bool) -> TrainingData:
    """Return CIFAR-100 or CIFAR-10 as the recipe splits it.

    `data_dir` holds the unpacked folder of the archive. Raises DatasetMissing if a file is missing
    or corrupt and is not downloaded, RecipeError if the recipe's sizes are not those of the files.
    """
    datasets: Any = optional_module("torchvision.datasets", package="torchvision", extra="worker")
    dataset = {"cifar100": datasets.CIFAR100, "cifar10": datasets.CIFAR10}[recipe.dataset]
    images, labels = _read(dataset, recipe.dataset, data_dir, train=True, download=download)
    test_images, test_labels = _read(dataset, recipe.dataset, data_dir, train=False, download=False)
    _check_size("train_images + val_images", recipe.train_images + recipe.val_images, len(images))
    train, val = published_split(recipe)
    data = TrainingData(
        train_images=images[train],
        train_labels=labels[train],
        val_images=images[val],
        val_labels=labels[val],
        test_images=test_images,
        test_labels=test_labels,
    )
    data.check(recipe)
    return data


def _read(
    dataset: Any, name: str, data_dir: Path, *, train: bool, download: bool
) -> tuple[Images, Labels]:
    """Read one part of a data set; its files are unpickled only after their MD5 was checked."""
    try:
        with warnings.catch_warnings():
            # numpy 2.4.0 to 2.4.4 warn of the dtypes in these files, which Python 2 pickled.
            warnings.filterwarnings("ignore", message=r"dtype\(\): align")
            part = dataset(data_dir, train=train, download=download)
    except (OSError, RuntimeError, HTTPException, TarError) as error:
        raise _missing(dataset, name, data_dir, error, download=download) from error
    return np.ascontiguousarray(part.data), np.array(part.targets, np.int64)


def _missing(
    dataset: Any, name: str, data_dir: Path, error: Exception, *, download: bool
) -> DatasetMissing:
    parts = [*dataset.train_list, *dataset.test_list]
    files = ", ".join([*(file for file, _ in parts), dataset.meta["filename"]])
    tried = f"the download failed: {error}" if download else "no intact copy"
    return DatasetMissing(
        f"data set {name}: {tried}; the folder {data_dir / dataset.base_folder} with the files "
        f"{files} is needed: copy it there, or run `python -m blox_core.data {name} {data_dir}` "
        "where there is a network"
    )


def _check_size(fields: str, got: int, allowed: int) -> None:
    if got != allowed:
        raise RecipeError(f"recipe fields {fields} = {got}: {allowed} is allowed by the data set")
