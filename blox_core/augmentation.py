"""How images become the input of a model: augmentation, normalisation, cutout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from blox_core.data.training_data import Images
from blox_core.extras import optional_module
from blox_core.recipe import Recipe

MAX_BYTE = 255.0


def normalise(images: Images, recipe: Recipe, device: torch.device) -> Tensor:
    """Return uint8 images (n, H, W, 3) as the float32 input of a model, (n, 3, H, W)."""
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(MAX_BYTE)
    mean = torch.tensor(recipe.mean, device=device)[:, None, None]
    std = torch.tensor(recipe.std, device=device)[:, None, None]
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    return pixels.sub_(mean).div_(std).contiguous(memory_format=layout)


def pil_augmentation(recipe: Recipe) -> Callable[[Images], Images]:
    """Return a function from images to augmented ones of the same shape, by torch's generator.

    In the published order, on PIL images: RandAugment, horizontal flip, random crop with a black
    border. Raises ExtraMissing without torchvision.
    """
    transforms: Any = optional_module(
        "torchvision.transforms", package="torchvision", extra="worker"
    )
    steps = [transforms.ToPILImage()]
    if recipe.randaugment_ops:
        steps.append(
            transforms.RandAugment(
                recipe.randaugment_ops, recipe.randaugment_magnitude, recipe.randaugment_bins
            )
        )
    if recipe.flip_probability:
        steps.append(transforms.RandomHorizontalFlip(recipe.flip_probability))
    if recipe.crop_padding:
        steps.append(transforms.RandomCrop(recipe.resolution, padding=recipe.crop_padding))
    augment_one = transforms.Compose(steps)
    return lambda images: np.stack([np.asarray(augment_one(image)) for image in images])


def cutout(pixels: Tensor, size: int) -> Tensor:
    """Set one square hole of every normalised image (n, 3, H, W) to 0, in place, and return them.

    A hole's centre c is uniform over the image, by torch's generator; it covers the rows and
    columns c - size/2 to c + size/2 - 1 that are within the image.
    """
    count, _, height, width = pixels.shape
    in_rows = _covered(torch.randint(height, (count, 1)), height, size)  # n x H
    in_columns = _covered(torch.randint(width, (count, 1)), width, size)  # n x W
    hole = in_rows[:, None, :, None] & in_columns[:, None, None, :]  # n x 1 x H x W
    return pixels.masked_fill_(hole.to(pixels.device), 0)


def _covered(centres: Tensor, length: int, size: int) -> Tensor:
    """Return which positions of an axis each hole covers: centres n x 1 → bool n x length."""
    offsets = torch.arange(length) - centres
    return (offsets >= -(size // 2)) & (offsets < size - size // 2)
