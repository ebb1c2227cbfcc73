"""Parameters and FLOPs of every architecture, by arithmetic: no model is built.

Both are additive over the stem, the three (stage, cell) pairs, the reductions and the classifier,
so 3 x 45 cells give all 91,125 architectures. FLOPs are counted as the ptflops of 2022 did, whose
numbers were published, module by module: a convolution or linear layer is one for each weight that
meets an output, and one for each bias; batch normalisation is two and a ReLU one for each output;
a pool is one for each input; a sigmoid, a sum and a product are none. A test compares with ptflops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blox_core.dimensions import (
    BCONV_HALF_WIDTHS,
    BCONV_KERNEL,
    CONV_KERNEL,
    CONV_UNITS,
    IMAGE_CHANNELS,
    MBCONV_EXPANSION,
    MBCONV_ROUNDS,
    REDUCTION_KERNEL,
    SHORT_CUT_KERNEL,
    STAGE_GROWTH,
    STEM_KERNEL,
    stage_channels,
    stage_size,
)
from blox_core.recipe import ModelShape
from blox_core.space import DISTINCT_CELLS, STAGES, Architecture, Cell

Counts = NDArray[np.int64]  # its last axis has two items: params and FLOPs


def params_and_flops(shape: ModelShape) -> tuple[Counts, Counts]:
    """Return the parameters and the FLOPs (multiply-accumulates) of all architectures in a shape.

    Each is int64 (91125,) in the order of arch indices; FLOPs are those of one image.
    """
    shared, cells = _shared(shape), _cells(shape)
    # A cell's number grows slowest in the last stage: stages 3, 2, 1 are the axes.
    totals = (
        shared + cells[2][:, None, None, :] + cells[1][None, :, None, :] + cells[0][None, None]
    ).reshape(-1, 2)
    return totals[:, 0].copy(), totals[:, 1].copy()


def _shared(shape: ModelShape) -> Counts:
    """Count what all architectures have: (2,)."""
    total = _unit(IMAGE_CHANNELS, shape.stem_channels, STEM_KERNEL, shape.resolution)
    for stage in range(STAGES):
        total += _reduction(*_stage(shape, stage))
    channels, size = _stage(shape, STAGES)
    return total + _classifier(channels, shape.classes, size)


def _cells(shape: ModelShape) -> Counts:
    """Count every cell in every stage: (3, 45, 2)."""
    cells = [Architecture(number).cells[0] for number in range(DISTINCT_CELLS)]
    stages = [_stage(shape, stage) for stage in range(STAGES)]
    return np.array([[_cell(cell, *stage) for cell in cells] for stage in stages])


def _stage(shape: ModelShape, stage: int) -> tuple[int, int]:
    """Return the channels and the side of the images of a stage."""
    return stage_channels(shape.stem_channels, stage), stage_size(shape.resolution, stage)


def _cell(cell: Cell, channels: int, size: int) -> Counts:
    """Count a canonical cell; one with neither `prev` nor `skip` is its second op alone."""
    op1, op2, prev, _, skip = cell
    second = _OPS[op2](channels, size)
    return _OPS[op1](channels, size) + second if prev or skip else second


def _conv(channels: int, size: int) -> Counts:
    return CONV_UNITS * _unit(channels, channels, CONV_KERNEL, size)


def _mbconv(channels: int, size: int) -> Counts:
    wide = MBCONV_EXPANSION * channels
    expansion = _unit(channels, wide, CONV_KERNEL, size)
    return MBCONV_ROUNDS * (
        expansion + _squeeze_excite(wide, size) + _unit(wide, channels, 1, size)
    )


def _bconv(channels: int, size: int) -> Counts:
    widths = [halves * channels // 2 for halves in BCONV_HALF_WIDTHS]
    total: Counts = np.sum([_bottleneck(channels, width, size) for width in widths], axis=0)
    return total


def _bottleneck(channels: int, width: int, size: int) -> Counts:
    depthwise = _unit(width, width, BCONV_KERNEL, size, groups=width)
    return _unit(channels, width, 1, size) + depthwise + _unit(width, channels, 1, size)


# In the order of `blox_core.space.OPS`.
_OPS: Final[tuple[Callable[[int, int], Counts], ...]] = (_conv, _mbconv, _bconv)


def _reduction(channels: int, size: int) -> Counts:
    """Count both paths; that of 3x3 kernels is one row and column larger on an odd size."""
    wide, larger, smaller = STAGE_GROWTH * channels, -(-size // STAGE_GROWTH), size // STAGE_GROWTH
    long = _unit(channels, wide, REDUCTION_KERNEL, larger) + _unit(
        wide, wide, REDUCTION_KERNEL, larger
    )
    return long + _unit(channels, wide, SHORT_CUT_KERNEL, smaller)


def _classifier(channels: int, num_classes: int, size: int) -> Counts:
    linear = channels * num_classes + num_classes
    return _counts(linear, channels * size**2 + linear)


def _squeeze_excite(channels: int, size: int) -> Counts:
    pool, relu = channels * size**2, channels
    return 2 * _convolution(channels, channels, 1, 1) + _counts(0, pool + relu)


def _unit(
    channels_in: int, channels_out: int, kernel: int, size: int, *, groups: int = 1
) -> Counts:
    """Count a convolution, batch normalisation and ReLU; `size` is that of what comes out."""
    normalisation_and_relu = _counts(2 * channels_out, 3 * channels_out * size**2)
    return _convolution(channels_in // groups, channels_out, kernel, size) + normalisation_and_relu


def _convolution(inputs: int, outputs: int, kernel: int, size: int) -> Counts:
    """Count a convolution with bias in which each output channel sees so many inputs."""
    weights = kernel**2 * inputs * outputs + outputs
    return _counts(weights, weights * size**2)


def _counts(params: int, flops: int) -> Counts:
    return np.array([params, flops], np.int64)
