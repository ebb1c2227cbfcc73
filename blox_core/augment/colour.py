"""Augmentations that change colours, byte for byte as Pillow does.

Images are uint8 (n, H, W, 3), red first.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

LEVELS: Final = 256
# Weights of red, green and blue in 16 bits, ITU-R BT.601; Pillow, libImaging/Convert.c, L24.
_RED, _GREEN, _BLUE, _HALF = 19_595, 38_470, 7_471, 0x8000
# The weights of Pillow's ImageFilter.SMOOTH are 1 around the pixel's own 5.
_SMOOTH_CENTRE, _SMOOTH_SUM = 5, 13


def brightness(images: Tensor, factor: float) -> Tensor:
    """Return images blended with black; ImageEnhance.Brightness."""
    return _blend(torch.zeros((), device=images.device), images, factor)


def color(images: Tensor, factor: float) -> Tensor:
    """Return images blended with their own grey; ImageEnhance.Color."""
    return _blend(_grey(images)[..., None], images, factor)


def contrast(images: Tensor, factor: float) -> Tensor:
    """Return images blended with their mean grey, rounded half up; ImageEnhance.Contrast."""
    grey = _grey(images).flatten(1)  # n x H·W
    pixels = grey.shape[1]
    mean = (2 * grey.sum(1) + pixels) // (2 * pixels)
    return _blend(mean[:, None, None, None], images, factor)


def sharpness(images: Tensor, factor: float) -> Tensor:
    """Return images blended with smooth ones; ImageEnhance.Sharpness."""
    return _blend(_smooth(images), images, factor)


def posterize(images: Tensor, bits: int) -> Tensor:
    """Return images of whose bytes only the highest bits are kept; ImageOps.posterize."""
    return images & (LEVELS - (1 << (8 - bits)))


def solarize(images: Tensor, threshold: int) -> Tensor:
    """Return images whose bytes from the threshold on are inverted; ImageOps.solarize."""
    kept = (images < threshold).byte()
    return images ^ (kept - 1)  # 1 - 1 changes no bit, and 0 - 1 wraps to all of them


def auto_contrast(images: Tensor) -> Tensor:
    """Return images of which each colour is stretched to 0 … 255; ImageOps.autocontrast."""
    low, high = torch.aminmax(images.flatten(1, 2).mT.contiguous(), dim=2)  # n x 3
    low, span = low.double(), (high - low).double()
    levels = torch.arange(LEVELS, device=images.device)
    # In double precision and in this order, as Pillow does in Python: a product may round to below
    # a level. The dividend is a tensor, as torch takes number / tensor for number · (1 / tensor).
    scale = levels[-1].double() / span  # infinite for a single level
    stretched = levels * scale[..., None] + (-low * scale)[..., None]
    table = torch.where(span[..., None] > 0, stretched.clamp(0, LEVELS - 1), levels)
    return _look_up(table, _places(images)).view_as(images)


def equalize(images: Tensor) -> Tensor:
    """Return images of which each colour's histogram is levelled; ImageOps.equalize."""
    count, height, width, _ = images.shape
    places = _places(images)
    counts = torch.bincount(places, minlength=count * 3 * LEVELS).view(count, 3, LEVELS)
    highest = images.flatten(1, 2).mT.contiguous().amax(2)[..., None].long()  # n x 3 x 1
    step = (height * width - counts.gather(2, highest)) // (LEVELS - 1)
    before = counts.cumsum(2) - counts
    levelled = (step // 2 + before) // step.clamp(min=1)
    levels = torch.arange(LEVELS, device=images.device)
    table = torch.where(step > 0, levelled.clamp(max=LEVELS - 1), levels)
    return _look_up(table, places).view_as(images)


def _blend(first: Tensor, second: Tensor, factor: float) -> Tensor:
    """Return first + factor · (second - first), clipped and cut to bytes; Pillow's Image.blend.

    In float32, with a rounding after each operation, as compiled in libImaging/Blend.c.
    """
    base = first.float()
    return (second.float() - base).mul_(factor).add_(base).clamp_(0, LEVELS - 1).byte()


def _grey(images: Tensor) -> Tensor:
    """Return the luma of each pixel, int32 (n, H, W), 0 … 255."""
    red, green, blue = images.int().unbind(3)
    return (red * _RED + green * _GREEN + blue * _BLUE + _HALF) >> 16


def _smooth(images: Tensor) -> Tensor:
    """Return images smoothed by a kernel of 3 x 3, except at the border, float32 and whole.

    Pillow sums in float32 and rounds to nearest; a sum of thirteenths is never near a half.
    """
    pixels = images.float()
    columns = pixels[:, :-2] + pixels[:, 1:-1] + pixels[:, 2:]
    squares = columns[:, :, :-2] + columns[:, :, 1:-1] + columns[:, :, 2:]
    inner = pixels[:, 1:-1, 1:-1]
    inner.copy_(((squares + inner * (_SMOOTH_CENTRE - 1)) / _SMOOTH_SUM + 0.5).floor())
    return pixels


def _places(images: Tensor) -> Tensor:
    """Return where each byte is looked up in tables (n, 3, 256): int32, flat."""
    tables = torch.arange(len(images) * 3, dtype=torch.int32, device=images.device) * LEVELS
    return (images + tables.view(-1, 1, 1, 3)).view(-1)


def _look_up(tables: Tensor, places: Tensor) -> Tensor:
    """Return the bytes at `places` of tables (n, 3, 256), flat."""
    return tables.byte().view(-1).index_select(0, places)
