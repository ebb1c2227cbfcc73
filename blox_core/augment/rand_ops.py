"""The 14 ops of RandAugment, and how much they change an image."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import torch

from blox_core.recipe import Recipe


class RandOp(IntEnum):
    """What RandAugment may do to an image, in torchvision's order."""

    IDENTITY = 0
    SHEAR_X = 1
    SHEAR_Y = 2
    TRANSLATE_X = 3
    TRANSLATE_Y = 4
    ROTATE = 5
    BRIGHTNESS = 6
    COLOR = 7
    CONTRAST = 8
    SHARPNESS = 9
    POSTERIZE = 10
    SOLARIZE = 11
    AUTO_CONTRAST = 12
    EQUALIZE = 13


# Their magnitude is negative for every second image.
SIGNED: Final = range(RandOp.SHEAR_X, RandOp.SHARPNESS + 1)

# The largest magnitudes; torchvision, RandAugment._augmentation_space.
_MAX_SHEAR: Final = 0.3  # a tangent
_MAX_TRANSLATION: Final = 150.0 / 331.0  # of the image's side
_MAX_ROTATION: Final = 30.0  # degrees
_MAX_ENHANCEMENT: Final = 0.9
_BYTE_BITS: Final = 8
_MAX_POSTERIZED_BITS: Final = 4
_MAX_BYTE: Final = 255.0


def magnitudes(recipe: Recipe) -> Mapping[RandOp, float]:
    """Return the positive magnitude of each op that has one.

    Shear: a tangent; translation: pixels; rotation: degrees; brightness to sharpness: what the
    factor is above 1; posterize: bits that are kept; solarize: the first byte that is inverted.
    """
    widest = {
        RandOp.SHEAR_X: _MAX_SHEAR,
        RandOp.SHEAR_Y: _MAX_SHEAR,
        RandOp.TRANSLATE_X: _MAX_TRANSLATION * recipe.resolution,
        RandOp.TRANSLATE_Y: _MAX_TRANSLATION * recipe.resolution,
        RandOp.ROTATE: _MAX_ROTATION,
        RandOp.BRIGHTNESS: _MAX_ENHANCEMENT,
        RandOp.COLOR: _MAX_ENHANCEMENT,
        RandOp.CONTRAST: _MAX_ENHANCEMENT,
        RandOp.SHARPNESS: _MAX_ENHANCEMENT,
    }
    found = {op: _of_bin(0.0, most, recipe) for op, most in widest.items()}
    found[RandOp.SOLARIZE] = _of_bin(_MAX_BYTE, 0.0, recipe)
    found[RandOp.POSTERIZE] = _kept_bits(recipe)
    return found


def _of_bin(first: float, last: float, recipe: Recipe) -> float:
    """Return the magnitude of the recipe's bin, in the float32 arithmetic of torchvision."""
    bins = torch.linspace(first, last, recipe.randaugment_bins)
    return float(bins[recipe.randaugment_magnitude])


def _kept_bits(recipe: Recipe) -> float:
    bins_per_bit = (recipe.randaugment_bins - 1) / _MAX_POSTERIZED_BITS
    cut = (torch.tensor(recipe.randaugment_magnitude) / bins_per_bit).round()
    return _BYTE_BITS - float(cut)
