"""The ops of the search space and the unit that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import Tensor, nn

from blox_core.dimensions import (
    BCONV_HALF_WIDTHS,
    BCONV_KERNEL,
    CONV_KERNEL,
    CONV_UNITS,
    MBCONV_EXPANSION,
    MBCONV_ROUNDS,
)


class Unit(nn.Sequential):
    """A convolution with bias, batch normalisation and a ReLU; keeps the size at stride 1."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
    ) -> None:
        super().__init__(
            nn.Conv2d(
                channels_in,
                channels_out,
                kernel,
                stride=stride,
                padding=kernel // 2 if padding is None else padding,
                groups=groups,
            ),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        )


class Residual(nn.Module):
    """A body whose input is added to its output."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:  # x: B x C x H x W, also the result
        out: Tensor = self.body(x)
        return out + x


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate between 0 and 1 that all channel means together decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:  # x: B x C x H x W, also the result
        gate: Tensor = self.gate(x)  # B x C x 1 x 1
        return x * gate


def conv(channels: int) -> nn.Module:
    """Return the op `conv`: plain 3x3 units without a residual."""
    return nn.Sequential(*(Unit(channels, channels, CONV_KERNEL) for _ in range(CONV_UNITS)))


def mbconv(channels: int) -> nn.Module:
    """Return the op `mbconv`: residual rounds of 3x3 expansion, squeeze-excite, 1x1 projection."""
    wide = MBCONV_EXPANSION * channels
    return nn.Sequential(
        *(
            Residual(
                nn.Sequential(
                    Unit(channels, wide, CONV_KERNEL), SqueezeExcite(wide), Unit(wide, channels, 1)
                )
            )
            for _ in range(MBCONV_ROUNDS)
        )
    )


def bconv(channels: int) -> nn.Module:
    """Return the op `bconv`: residual rounds around a depthwise 5x5 of changing width.

    `channels` is even.
    """
    return nn.Sequential(
        *(_bottleneck(channels, halves * channels // 2) for halves in BCONV_HALF_WIDTHS)
    )


def _bottleneck(channels: int, width: int) -> nn.Module:
    return Residual(
        nn.Sequential(
            Unit(channels, width, 1),
            Unit(width, width, BCONV_KERNEL, groups=width),
            Unit(width, channels, 1),
        )
    )


# In the order of `blox_core.space.OPS`: an op's number in an arch vector is its position.
OP_BUILDERS: Final[tuple[Callable[[int], nn.Module], ...]] = (conv, mbconv, bconv)
