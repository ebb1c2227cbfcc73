"""Augmentations that move pixels: gathers by a table that says where each pixel comes from.

A table counts the pixels of an image from 1, row by row; 0 stands for black, from outside.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from blox_core.augment.rand_ops import RandOp
from blox_core.extras import optional_module

GEOMETRIC: Final = range(RandOp.SHEAR_X, RandOp.ROTATE + 1)


def source_table(op: RandOp, magnitude: float, side: int) -> Tensor:
    """Return where torchvision's op takes each pixel of a PIL image from: int64 (side · side,).

    Made by torchvision, on an image whose pixels are their own places in a table. Raises
    ExtraMissing without torchvision.
    """
    image: Any = optional_module("PIL.Image", package="torchvision", extra="worker")
    places = np.arange(1, side * side + 1, dtype=np.int32).reshape(side, side)
    moved = np.asarray(_moved(op, image.fromarray(places), magnitude))
    return torch.from_numpy(moved.astype(np.int64).reshape(-1))


def _moved(op: RandOp, image: Any, magnitude: float) -> Any:
    """Apply an op to a PIL image with the arguments of torchvision's RandAugment."""
    functional: Any = optional_module(
        "torchvision.transforms.functional", package="torchvision", extra="worker"
    )
    if op is RandOp.ROTATE:
        return functional.rotate(image, magnitude)
    along_x = op in (RandOp.SHEAR_X, RandOp.TRANSLATE_X)
    if op in (RandOp.SHEAR_X, RandOp.SHEAR_Y):
        degrees = math.degrees(math.atan(magnitude))
        shear = [degrees, 0.0] if along_x else [0.0, degrees]
        return functional.affine(image, 0.0, [0, 0], 1.0, shear, center=[0, 0])
    pixels = int(magnitude)
    shift = [pixels, 0] if along_x else [0, pixels]
    return functional.affine(image, 0.0, shift, 1.0, [0.0, 0.0])


def gather_pixels(images: Tensor, table: Tensor) -> Tensor:
    """Return images, uint8 (n, H, W, 3), whose pixels come from where one table says."""
    after_black = pad(images.flatten(1, 2), (0, 0, 1, 0))  # n x 1 + H · W x 3
    return after_black.index_select(1, table).view_as(images)


def flip(images: Tensor) -> Tensor:
    """Return images, uint8 (n, H, W, 3), with left and right exchanged."""
    return images.flip(2)


def crop(images: Tensor, offsets: Tensor, padding: int) -> Tensor:
    """Return windows, as large as the images, of images uint8 (n, H, W, 3) padded with black.

    `offsets`, int64 (n, 2), are the first row and column of each window in the padded image.
    """
    count, height, width, channels = images.shape
    padded = pad(images, (0, 0, padding, padding, padding, padding))
    tall, wide = padded.shape[1:3]
    # A row of a window is contiguous: it is gathered whole, from all rows that begin at any pixel.
    starts, row_bytes = count * tall * wide - width + 1, width * channels
    rows = padded.as_strided((starts, row_bytes), (channels, 1))
    tops = offsets[:, 0] + tall * torch.arange(count, device=images.device)
    first = (tops * wide + offsets[:, 1])[:, None]
    sources = first + wide * torch.arange(height, device=images.device)  # n x H
    return rows.index_select(0, sources.view(-1)).view_as(images)
