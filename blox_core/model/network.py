"""The network of an architecture: stem, three stages of a cell and a reduction, head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from blox_core.dimensions import (
    IMAGE_CHANNELS,
    REDUCTION_KERNEL,
    SHORT_CUT_KERNEL,
    STAGE_GROWTH,
    STEM_KERNEL,
    stage_channels,
)
from blox_core.model.ops import OP_BUILDERS, Unit
from blox_core.recipe import ModelShape
from blox_core.space import STAGES, Architecture, Cell, index_of


class LoneOp(nn.Module):
    """A cell of a single op."""

    def __init__(self, op: int, channels: int) -> None:
        super().__init__()
        self.op2 = OP_BUILDERS[op](channels)

    def forward(self, x: Tensor) -> Tensor:  # x: B x C x H x W, also the result
        out: Tensor = self.op2(x)
        return out


class TwoOps(nn.Module):
    """A cell of two ops; the flags say what the second one takes and what is added to its output.

    With y = op1(x): op2 of `prev`·y + `from_input`·x, plus `skip`·y. `prev` or `from_input` is set.
    """

    def __init__(self, cell: Cell, channels: int) -> None:
        super().__init__()
        op1, op2, prev, from_input, skip = cell
        self.prev, self.from_input, self.skip = bool(prev), bool(from_input), bool(skip)
        self.op1 = OP_BUILDERS[op1](channels)
        self.op2 = OP_BUILDERS[op2](channels)

    def forward(self, x: Tensor) -> Tensor:  # x: B x C x H x W, also the result
        first: Tensor = self.op1(x)
        taken = x if not self.prev else first + x if self.from_input else first
        second: Tensor = self.op2(taken)
        return second + first if self.skip else second


class Reduction(nn.Module):
    """Halves the size and doubles the channels on two paths, which are added.

    An odd size leaves the 3x3 path one row and column larger; those are cut off.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = STAGE_GROWTH * channels
        self.long = nn.Sequential(
            Unit(channels, wide, REDUCTION_KERNEL, stride=STAGE_GROWTH),
            Unit(wide, wide, REDUCTION_KERNEL),
        )
        self.short = Unit(channels, wide, SHORT_CUT_KERNEL, stride=STAGE_GROWTH, padding=0)

    def forward(self, x: Tensor) -> Tensor:  # B x C x H x W → B x 2C x ⌊H/2⌋ x ⌊W/2⌋
        long: Tensor = self.long(x)
        short: Tensor = self.short(x)
        return long[..., : short.shape[-2], : short.shape[-1]] + short


class Classifier(nn.Sequential):
    """The mean over all pixels and one linear layer."""

    def __init__(self, channels: int, num_classes: int) -> None:
        # A pooling module, not a mean: ptflops counts modules, and the published FLOPs hold it.
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))


class Network(nn.Module):
    """One architecture as a module: images B x 3 x H x W to logits B x classes."""

    def __init__(self, cells: Sequence[Cell], num_classes: int, stem_channels: int) -> None:
        super().__init__()
        widths = [stage_channels(stem_channels, stage) for stage in range(STAGES + 1)]
        self.stem = build_stem(stem_channels)
        self.cells = nn.ModuleList(
            build_cell(cell, width) for cell, width in zip(cells, widths, strict=False)
        )
        self.reductions = nn.ModuleList(Reduction(width) for width in widths[:STAGES])
        self.classifier = Classifier(widths[STAGES], num_classes)

    def forward(self, x: Tensor) -> Tensor:  # B x 3 x H x W → B x classes
        x = self.stem(x)
        for cell, reduction in zip(self.cells, self.reductions, strict=True):
            x = reduction(cell(x))
        logits: Tensor = self.classifier(x)
        return logits


def build_stem(channels: int) -> nn.Module:
    """Return the unit that turns images into the first stage's channels."""
    return Unit(IMAGE_CHANNELS, channels, STEM_KERNEL)


def build_cell(cell: Cell, channels: int) -> nn.Module:
    """Return the module of a canonical cell; it keeps size and channels."""
    _, op2, prev, _, skip = cell
    return TwoOps(cell, channels) if prev or skip else LoneOp(op2, channels)


def build_model(
    arch_vec: Sequence[Any], num_classes: int = 100, stem_channels: int = 32
) -> Network:
    """Return the network of any valid arch vector with PyTorch's default initialisation.

    Of a raw arch vector the canonical one is built. Takes images of 8 x 8 pixels or more. Raises
    ArchitectureError for an invalid arch vector, RecipeError for classes below 2 or stem channels
    that are no positive even number.
    """
    ModelShape.check("classes", num_classes)
    ModelShape.check("stem_channels", stem_channels)
    return Network(Architecture(index_of(arch_vec)).cells, num_classes, stem_channels)
