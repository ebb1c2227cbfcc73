"""From uint8 images to the input of a model: normalisation and cutout."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from blox_core.numerics import weight_type
from blox_core.recipe import Recipe

MAX_BYTE: Final = 255.0


class ModelInput:
    """Turns images of a recipe into what its models take, on one device."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        # Of every column, as arithmetic along an axis of three is slow: 1 x W·3.
        self._dtype = weight_type(recipe)
        self._mean, self._std = (
            torch.tensor(values, dtype=self._dtype, device=device).repeat(1, recipe.resolution)
            for values in (recipe.mean, recipe.std)
        )
        self._hole = recipe.cutout_size
        self._channels_last = recipe.channels_last

    def __call__(self, images: Tensor, holes: Tensor | None = None) -> Tensor:
        """Return uint8 images (n, H, W, 3), normalised and cut out, as (n, 3, H, W) of the weights' type.

        A hole, set to 0, is a square with a centre (row, column) of `holes`, int64 (n, 2). It
        covers the rows and columns c - size/2 to c + size/2 - 1 that are within the image.
        """
        pixels = images.flatten(2).to(self._dtype)  # n x H x W·3
        pixels.div_(MAX_BYTE).sub_(self._mean).div_(self._std)
        if holes is not None:
            # x - x · 1 is 0 and x - x · 0 is x; filling by a mask takes three times as long.
            pixels.addcmul_(pixels, self._covered(holes, images), value=-1)
        layout = torch.channels_last if self._channels_last else torch.contiguous_format
        return pixels.view_as(images).permute(0, 3, 1, 2).contiguous(memory_format=layout)

    def _covered(self, centres: Tensor, images: Tensor) -> Tensor:
        """Return 1 for the bytes that the holes cover and 0 for others: n x H x W·3."""
        _, height, width, channels = images.shape
        rows = _within(centres[:, :1], height, self._hole)
        columns = _within(centres[:, 1:], width, self._hole).repeat_interleave(channels, 1)
        return (rows[:, :, None] & columns[:, None, :]).to(self._dtype)


def _within(centres: Tensor, length: int, size: int) -> Tensor:
    """Return where each hole covers an axis: centres n x 1 → bool n x length."""
    offsets = torch.arange(length, device=centres.device) - centres
    return (offsets >= -(size // 2)) & (offsets < size - size // 2)
