"""The shape of a model: what its size and cost depend on, besides its architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from blox_core.errors import RecipeError
from blox_core.record import Record
from blox_core.rules import int_from, positive_even

# Three reductions halve the image; the last one needs 2 x 2 pixels.
MIN_RESOLUTION: Final = 8

# The narrowest bottleneck of bconv halves the channels.
StemChannels: TypeAlias = Annotated[int, positive_even()]
Classes: TypeAlias = Annotated[int, int_from(2)]
Resolution: TypeAlias = Annotated[int, int_from(MIN_RESOLUTION)]


@dataclass(frozen=True, kw_only=True)
class ModelShape(Record, noun="recipe", error=RecipeError):
    """The channels of stage 1, the classes, and the side of a square image in pixels.

    Raises RecipeError for a size that no model has.
    """

    stem_channels: StemChannels
    classes: Classes
    resolution: Resolution
