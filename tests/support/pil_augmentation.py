"""The published augmentation, one PIL image at a time by torchvision, for given parameters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional

from blox_core.augment import EpochParameters, draw_parameters
from blox_core.augment.rand_ops import SIGNED
from blox_core.data.training_data import Images
from blox_core.randomness import epoch_order
from blox_core.recipe import Recipe


class Cutout:
    """Sets a square around a random centre of a normalised image to 0; torchvision has none."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        row, column = torch.randint(pixels.shape[1], (2,)).tolist()
        return cut_out(pixels, row, column, self._size)


def published(recipe: Recipe) -> transforms.Compose:
    """Return the published pipeline from a uint8 image to the input of a model in training."""
    steps = [
        transforms.ToPILImage(),
        _rand_augment(recipe),
        transforms.RandomHorizontalFlip(recipe.flip_probability),
        transforms.RandomCrop(recipe.resolution, padding=recipe.crop_padding),
        normalised(recipe),
        Cutout(recipe.cutout_size),
    ]
    return transforms.Compose(steps)


def normalised(recipe: Recipe) -> transforms.Compose:
    """Return the published way from a PIL image to a model's input, float64 for fp64.

    An array (H, W, 3) is taken too where that is float32.
    """
    steps = [transforms.ToTensor()]
    if recipe.precision == "fp64":  # ToTensor knows no other type than torch's default
        steps = [transforms.PILToTensor(), transforms.ConvertImageDtype(torch.float64)]
    return transforms.Compose([*steps, transforms.Normalize(recipe.mean, recipe.std)])


def cut_out(pixels: torch.Tensor, row: int, column: int, size: int) -> torch.Tensor:
    """Set the hole with this centre in an image (3, H, W) to 0, in place, and return it."""
    before, after = size // 2, size - size // 2
    pixels[:, max(row - before, 0) : row + after, max(column - before, 0) : column + after] = 0
    return pixels


def model_input(recipe: Recipe, images: Images, parameters: EpochParameters) -> torch.Tensor:
    """Return what a model gets to see of images, float32 (n, 3, H, W), in their order."""
    finish = normalised(recipe)
    pixels = [finish(image) for image in augmented(recipe, images, parameters)]
    for image, (row, column) in zip(pixels, parameters.holes.tolist(), strict=True):
        cut_out(image, row, column, recipe.cutout_size)
    return torch.stack(pixels)


def epoch_input(recipe: Recipe, images: Images, seed: int, epoch: int) -> torch.Tensor:
    """Return what a model gets to see of images in an epoch, in the epoch's order."""
    pixels = model_input(recipe, images, draw_parameters(recipe, seed, epoch))
    return pixels[epoch_order(len(images), seed, epoch)]


def rand_augmented(recipe: Recipe, images: Images, ops: list[int], negative: list[bool]) -> Images:
    """Return what torchvision's RandAugment makes of images if it draws these ops and signs."""
    augment, drawn = _rand_augment(recipe), _draws(ops, negative)
    with patch("torch.randint", lambda *_, **__: next(drawn)):
        return np.stack([np.asarray(augment(Image.fromarray(image))) for image in images])


def augmented(recipe: Recipe, images: Images, parameters: EpochParameters) -> Images:
    """Return images after RandAugment, flip and crop with these parameters."""
    changed = []
    for image, (_, own) in zip(images, parameters.parts(1), strict=True):
        (done,) = rand_augmented(recipe, image[None], own.ops[0].tolist(), own.negative[0].tolist())
        picture = Image.fromarray(done)
        if own.flipped[0]:
            picture = functional.hflip(picture)
        picture = functional.pad(picture, [recipe.crop_padding])
        top, left = own.offsets[0].tolist()
        side = recipe.resolution
        changed.append(np.asarray(functional.crop(picture, top, left, side, side)))
    return np.stack(changed)


def _rand_augment(recipe: Recipe) -> transforms.RandAugment:
    return transforms.RandAugment(
        recipe.randaugment_ops, recipe.randaugment_magnitude, recipe.randaugment_bins
    )


def _draws(ops: list[int], negative: list[bool]) -> Iterator[torch.Tensor]:
    """Yield what RandAugment asks for: an op, and its sign if it has one, image after image."""
    for op, sign in cycle(list(zip(ops, negative, strict=True))):
        yield torch.tensor([op])
        if op in SIGNED:
            yield torch.tensor([int(sign)])
