"""The numbers of the published model: kernels, widths and repetitions, without a module in sight."""

from __future__ import annotations

from typing import Final

IMAGE_CHANNELS: Final = 3
STEM_KERNEL: Final = 3
# Every reduction doubles the channels and halves the size.
STAGE_GROWTH: Final = 2
REDUCTION_KERNEL: Final = 3
SHORT_CUT_KERNEL: Final = 2

CONV_UNITS: Final = 4
CONV_KERNEL: Final = 3
MBCONV_ROUNDS: Final = 2
MBCONV_EXPANSION: Final = 2
BCONV_KERNEL: Final = 5
# Widths of the bottleneck in the successive rounds, as halves of the op's own width.
BCONV_HALF_WIDTHS: Final = (1, 2, 4, 1, 2, 4)


def stage_channels(stem_channels: int, stage: int) -> int:
    """Return the channels of a stage, counted from 0; stage 3 is what the classifier sees."""
    return stem_channels * int(STAGE_GROWTH**stage)


def stage_size(resolution: int, stage: int) -> int:
    """Return the pixels a side at which a stage works; the reductions drop an odd last one."""
    return resolution // int(STAGE_GROWTH**stage)
