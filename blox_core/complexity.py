"""Parameters and FLOPs of every architecture, from measurements of its parts.

Both are additive over the stem, the three (stage, cell) pairs, the reductions and the classifier,
so 3 x 45 measured cells give all 91,125 architectures.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from blox_core.extras import optional_module
from blox_core.model import (
    IMAGE_CHANNELS,
    STAGE_GROWTH,
    Classifier,
    Reduction,
    build_cell,
    build_stem,
    stage_channels,
)
from blox_core.recipe_fields import check_field
from blox_core.space import DISTINCT_CELLS, STAGES, Architecture

# Counts modules only, as the ptflops of 2022 did, whose numbers were published.
PTFLOPS_BACKEND_CONFIG: Final = {"count_functional": False}

Counts = NDArray[np.int64]


def params_and_flops(
    num_classes: int = 100, stem_channels: int = 32, resolution: int = 32
) -> tuple[Counts, Counts]:
    """Return the parameters and the FLOPs (ptflops' multiply-accumulates) of all architectures.

    Each is int64 (91125,) in the order of arch indices; FLOPs are those of one square image of
    `resolution` pixels a side. Raises RecipeError for a size that no model has, ExtraMissing
    without ptflops.
    """
    check_field("classes", num_classes)
    check_field("stem_channels", stem_channels)
    check_field("resolution", resolution)
    # On the meta device, where nothing is computed, Python's shape rules take three times as long.
    with torch.random.fork_rng(devices=[]):  # building a part draws weights that do not matter
        shared = _measure_shared(num_classes, stem_channels, resolution)
        cells = _measure_cells(stem_channels, resolution)
    # A cell's number grows slowest in the last stage: stages 3, 2, 1 are the axes.
    totals = (
        shared + cells[2][:, None, None, :] + cells[1][None, :, None, :] + cells[0][None, None]
    ).reshape(-1, 2)
    return totals[:, 0].copy(), totals[:, 1].copy()


def _measure_shared(num_classes: int, stem_channels: int, resolution: int) -> Counts:
    """Measure what all architectures have: (2,), params and FLOPs."""
    total = _measure(build_stem(stem_channels), IMAGE_CHANNELS, resolution)
    for stage in range(STAGES):
        channels = stage_channels(stem_channels, stage)
        total += _measure(Reduction(channels), channels, _stage_size(resolution, stage))
    channels = stage_channels(stem_channels, STAGES)
    size = _stage_size(resolution, STAGES)
    return total + _measure(Classifier(channels, num_classes), channels, size)


def _measure_cells(stem_channels: int, resolution: int) -> Counts:
    """Measure every cell in every stage: (3, 45, 2)."""
    cells = [Architecture(number).cells[0] for number in range(DISTINCT_CELLS)]
    counts = np.zeros((STAGES, DISTINCT_CELLS, 2), np.int64)
    for stage in range(STAGES):
        channels, size = stage_channels(stem_channels, stage), _stage_size(resolution, stage)
        for number, cell in enumerate(cells):
            counts[stage, number] = _measure(build_cell(cell, channels), channels, size)
    return counts


def _stage_size(resolution: int, stage: int) -> int:
    """Return the pixels a side at which a stage works; the reductions drop an odd last one."""
    return resolution // int(STAGE_GROWTH**stage)


def _measure(part: nn.Module, channels: int, size: int) -> Counts:
    """Measure one part with ptflops: (2,), params and FLOPs."""
    ptflops: Any = optional_module("ptflops", package="ptflops", extra="worker")
    with torch.no_grad():
        flops, params = ptflops.get_model_complexity_info(
            part,
            (channels, size, size),
            as_strings=False,
            print_per_layer_stat=False,
            verbose=False,
            ost=io.StringIO(),
            backend_specific_config=PTFLOPS_BACKEND_CONFIG,
        )
    return np.array([params, flops], np.int64)
