"""The shape of a model: what its size and cost depend on, besides its architecture."""

from __future__ import annotations

from dataclasses import dataclass

from blox_core.errors import RecipeError
from blox_core.recipe.fields import Classes, Resolution, StemChannels
from blox_core.record import Record


@dataclass(frozen=True, kw_only=True)
class ModelShape(Record, noun="recipe", error=RecipeError):
    """The channels of stage 1, the classes, and the side of a square image in pixels.

    Raises RecipeError for a size that no model has.
    """

    stem_channels: StemChannels
    classes: Classes
    resolution: Resolution
