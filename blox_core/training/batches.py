"""The batches that a training and its evaluations go through."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from blox_core.augment import Augmentation, draw_parameters
from blox_core.augment.model_input import ModelInput
from blox_core.data.training_data import Images, Labels, TrainingData
from blox_core.randomness import epoch_order
from blox_core.recipe import Recipe

Batch = tuple[Tensor, Tensor]  # B x 3 x H x W of the weights' type, int64 B
Positions = Tensor  # int64 (B,) on the device: which images make a batch


class Batches:
    """The data of a recipe on a device: positions say which images are a batch's.

    All images are on the device from the start, and those of an epoch are augmented before its
    first batch, always in the same memory: making a batch of positions waits for nothing, and
    can be recorded in a CUDA graph. One training at a time uses it.
    """

    def __init__(self, recipe: Recipe, data: TrainingData, device: torch.device) -> None:
        self._recipe = recipe
        self.device: Final = device
        self._images = _on(device, data.train_images)
        self._labels = _on(device, data.train_labels)
        held_out = (
            torch.cat([_on(device, val), _on(device, test)])
            for val, test in (
                (data.val_images, data.test_images),
                (data.val_labels, data.test_labels),
            )
        )
        self._held_out_images, self._held_out_labels = held_out
        self._model_input = ModelInput(recipe, device)
        self._augmentation = Augmentation(recipe, device) if recipe.augmented else None
        self._epoch_images = torch.empty_like(self._images) if recipe.augmented else self._images
        self._holes = torch.zeros_like(self._labels)[:, None].repeat(1, 2)

    def training(self, seed: int, epoch: int) -> Iterator[Positions]:
        """Augment the images of an epoch (from 1) and yield its batches; the last may be smaller.

        They depend on seed and epoch only.
        """
        if self._augmentation is not None:
            parameters = draw_parameters(self._recipe, seed, epoch)
            self._augmentation.augmented(self._images, parameters, self._epoch_images)
            self._holes.copy_(torch.from_numpy(parameters.holes))
        order = torch.from_numpy(epoch_order(len(self._images), seed, epoch)).to(self.device)
        yield from torch.split(order, self._recipe.batch_size)

    def training_batch(self, positions: Positions) -> Batch:
        """Return a batch of the prepared epoch."""
        holes = self._holes.index_select(0, positions) if self._recipe.cutout_size else None
        pixels = self._model_input(self._epoch_images.index_select(0, positions), holes)
        return pixels, self._labels.index_select(0, positions)

    def validation(self) -> Iterator[Positions]:
        """Yield the batches of the validation images, for `held_out_batch`."""
        return self._held_out(0, self._recipe.val_images)

    def test(self) -> Iterator[Positions]:
        """Yield the batches of the test images, for `held_out_batch`."""
        return self._held_out(self._recipe.val_images, len(self._held_out_labels))

    def held_out_batch(self, positions: Positions) -> Batch:
        """Return a batch of validation or test images, normalised only."""
        pixels = self._model_input(self._held_out_images.index_select(0, positions))
        return pixels, self._held_out_labels.index_select(0, positions)

    def _held_out(self, start: int, end: int) -> Iterator[Positions]:
        positions = torch.arange(start, end, device=self.device)
        yield from torch.split(positions, self._recipe.eval_batch_size)


@lru_cache(maxsize=1)
def kept_batches(recipe: Recipe, data: TrainingData, device: torch.device) -> Batches:
    """Return the batches of these arguments, kept from one training of a process to the next.

    Data are uploaded once, and a worker's next model finds the same memory.
    """
    return Batches(recipe, data, device)


def _on(device: torch.device, values: Images | Labels) -> Tensor:
    return torch.from_numpy(values).to(device)
