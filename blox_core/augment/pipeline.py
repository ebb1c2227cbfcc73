"""From an epoch's parameters to its augmented images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blox_core.augment import colour
from blox_core.augment.geometry import GEOMETRIC, crop, flip, gather_pixels, source_table
from blox_core.augment.parameters import EpochParameters
from blox_core.augment.rand_ops import SIGNED, RandOp, magnitudes
from blox_core.recipe import Recipe

Change = Callable[[Tensor], Tensor]  # uint8 (n, H, W, 3) → the same
Variant = int  # 2 · RandOp, and 1 more for a negative magnitude

# Images that a CPU augments together: what an op needs beside them then fits its cache. Measured on
# two cores (AMD EPYC), thousands of images/s with one thread: 28 in chunks of 256, 35 of 512
# or 1,024, 29 of 4,096, 20 of 16,384. A GPU wants few kernels and gets all images at once.
CPU_CHUNK: Final = 1_024

_ENHANCEMENTS: Final = {
    RandOp.BRIGHTNESS: colour.brightness,
    RandOp.COLOR: colour.color,
    RandOp.CONTRAST: colour.contrast,
    RandOp.SHARPNESS: colour.sharpness,
}


class Augmentation:
    """RandAugment, flips and crops of one recipe on one device; ExtraMissing without torchvision.

    Each gives the bytes that torchvision's gives on a PIL image for the same parameters.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self._padding = recipe.crop_padding
        self._flips = recipe.flip_probability > 0
        self._changes = _changes(recipe, device) if recipe.randaugment_ops else {}

    def augmented(
        self, images: Tensor, parameters: EpochParameters, out: Tensor | None = None
    ) -> Tensor:
        """Return augmented copies of images on the device, uint8 (n, H, W, 3), in `out` if given.

        Only torch.bincount, of Equalize, waits for a GPU: once an epoch for each op in a row.
        """
        out = torch.empty_like(images) if out is None else out
        size = CPU_CHUNK if images.device.type == "cpu" else len(images)
        for place, part in parameters.parts(size):
            out[place].copy_(self._chunk(images[place], part))
        return out

    def _chunk(self, images: Tensor, parameters: EpochParameters) -> Tensor:
        for ops, negative in zip(parameters.ops.T, parameters.negative.T, strict=True):
            images = _changed(images, 2 * ops + negative, self._changes)
        if self._flips:
            images = _changed(images, parameters.flipped.astype(np.int64), {1: flip})
        if self._padding:
            offsets = torch.from_numpy(parameters.offsets).to(images.device)
            images = crop(images, offsets, self._padding)
        return images


def _changed(
    images: Tensor, variants: NDArray[np.int64], changes: Mapping[Variant, Change]
) -> Tensor:
    """Return each image after the change of its variant, if it has one.

    Images are sorted by variant, changed group by group, and put back into their order.
    """
    order = np.argsort(variants, kind="stable")
    found, starts = np.unique(variants[order], return_index=True)
    both = torch.from_numpy(np.stack([order, np.argsort(order)])).to(images.device)
    groups = images.index_select(0, both[0]).tensor_split(starts[1:].tolist())
    done = [
        changes[variant](group) if variant in changes else group
        for variant, group in zip(found.tolist(), groups, strict=True)
    ]
    return torch.cat(done).index_select(0, both[1])


def _changes(recipe: Recipe, device: torch.device) -> Mapping[Variant, Change]:
    """Return what each variant does; identity does nothing and is left out."""
    found = magnitudes(recipe)
    changes: dict[Variant, Change] = {
        2 * RandOp.POSTERIZE: partial(colour.posterize, bits=int(found[RandOp.POSTERIZE])),
        2 * RandOp.SOLARIZE: partial(colour.solarize, threshold=math.ceil(found[RandOp.SOLARIZE])),
        2 * RandOp.AUTO_CONTRAST: colour.auto_contrast,
        2 * RandOp.EQUALIZE: colour.equalize,
    }
    for op in map(RandOp, SIGNED):
        for negative in (0, 1):
            magnitude = -found[op] if negative else found[op]
            changes[2 * op + negative] = _signed_change(op, magnitude, recipe, device)
    return changes


def _signed_change(op: RandOp, magnitude: float, recipe: Recipe, device: torch.device) -> Change:
    if op in GEOMETRIC:
        table = source_table(op, magnitude, recipe.resolution).to(device)
        return partial(gather_pixels, table=table)
    return partial(_ENHANCEMENTS[op], factor=1.0 + magnitude)
