"""The batches that a training and its evaluations go through."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blox_core.augmentation import cutout, normalise, pil_augmentation
from blox_core.data.training_data import Images, TrainingData
from blox_core.randomness import Stream, epoch_order, seeded_torch
from blox_core.recipe import Recipe

Batch = tuple[Tensor, Tensor]  # float32 B x 3 x H x W, int64 B


class Batches:
    """The data of one training as batches on its device; the last one may be smaller."""

    def __init__(self, recipe: Recipe, seed: int, data: TrainingData, device: torch.device) -> None:
        self._recipe = recipe
        self._seed = seed
        self._data = data
        self._device = device
        self._augment = pil_augmentation(recipe) if recipe.augmented else None

    def training(self, epoch: int) -> Iterator[Batch]:
        """Yield the augmented batches of an epoch (from 1), which depend on seed and epoch only."""
        order = epoch_order(len(self._data.train_images), self._seed, epoch)
        for number, chosen in enumerate(_slices(order, self._recipe.batch_size)):
            images = self._data.train_images[chosen]
            pixels = self._prepared(images, epoch, number)
            yield pixels, self._labels(self._data.train_labels[chosen])

    def validation(self) -> Iterator[Batch]:
        """Yield the validation images, normalised only."""
        return self._plain(self._data.val_images, self._data.val_labels)

    def test(self) -> Iterator[Batch]:
        """Yield the test images, normalised only."""
        return self._plain(self._data.test_images, self._data.test_labels)

    def _plain(self, images: Images, labels: NDArray[np.int64]) -> Iterator[Batch]:
        for chosen in _slices(np.arange(len(images)), self._recipe.eval_batch_size):
            pixels = normalise(images[chosen], self._recipe, self._device)
            yield pixels, self._labels(labels[chosen])

    def _prepared(self, images: Images, epoch: int, number: int) -> Tensor:
        if self._augment is None:
            return normalise(images, self._recipe, self._device)
        with seeded_torch(self._seed, Stream.AUGMENTATION, epoch, number):
            pixels = normalise(self._augment(images), self._recipe, self._device)
            size = self._recipe.cutout_size
            return cutout(pixels, size) if size else pixels

    def _labels(self, labels: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(labels).to(self._device)


def _slices(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]
