"""The batches that a training and its evaluations go through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from blox_core.augment import Augmentation, draw_parameters
from blox_core.augment.model_input import ModelInput
from blox_core.data.training_data import Images, Labels, TrainingData
from blox_core.randomness import epoch_order
from blox_core.recipe import Recipe

Batch = tuple[Tensor, Tensor]  # B x 3 x H x W of the weights' type, int64 B


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """One split on the device: uint8 images (n, H, W, 3) and int64 labels (n,)."""

    images: Tensor
    labels: Tensor

    @classmethod
    def on(cls, device: torch.device, images: Images, labels: Labels) -> Split:
        """Return a split that was brought to the device."""
        return cls(
            images=torch.from_numpy(images).to(device), labels=torch.from_numpy(labels).to(device)
        )


class Batches:
    """The data of one training as batches on its device; the last one may be smaller.

    All images are on the device from the start, and those of an epoch are augmented before its
    first batch; a batch is then gathered without waiting for the device.
    """

    def __init__(self, recipe: Recipe, seed: int, data: TrainingData, device: torch.device) -> None:
        self._recipe = recipe
        self._seed = seed
        self._device = device
        self._train = Split.on(device, data.train_images, data.train_labels)
        self._val = Split.on(device, data.val_images, data.val_labels)
        self._test = Split.on(device, data.test_images, data.test_labels)
        self._model_input = ModelInput(recipe, device)
        self._augmentation = Augmentation(recipe, device) if recipe.augmented else None

    def training(self, epoch: int) -> Iterator[Batch]:
        """Yield the augmented batches of an epoch (from 1), which depend on seed and epoch only."""
        images, holes = self._augmented(epoch)
        order = torch.from_numpy(epoch_order(len(images), self._seed, epoch)).to(self._device)
        for chosen in torch.split(order, self._recipe.batch_size):
            cut = None if holes is None else holes.index_select(0, chosen)
            pixels = self._model_input(images.index_select(0, chosen), cut)
            yield pixels, self._train.labels.index_select(0, chosen)

    def validation(self) -> Iterator[Batch]:
        """Yield the validation images, normalised only."""
        return self._plain(self._val)

    def test(self) -> Iterator[Batch]:
        """Yield the test images, normalised only."""
        return self._plain(self._test)

    def _augmented(self, epoch: int) -> tuple[Tensor, Tensor | None]:
        """Return an epoch's training images and, for a cutout, the centres of their holes."""
        if self._augmentation is None:
            return self._train.images, None
        parameters = draw_parameters(self._recipe, self._seed, epoch)
        images = self._augmentation.augmented(self._train.images, parameters)
        if not self._recipe.cutout_size:
            return images, None
        return images, torch.from_numpy(parameters.holes).to(self._device)

    def _plain(self, split: Split) -> Iterator[Batch]:
        size = self._recipe.eval_batch_size
        parts = (torch.split(values, size) for values in (split.images, split.labels))
        for images, labels in zip(*parts, strict=True):
            yield self._model_input(images), labels
