"""The shape of a model: what its size and cost depend on, besides its architecture."""

from __future__ import annotations

from dataclasses import dataclass

from blox_core.errors import RecipeError
from blox_core.recipe.fields import SHAPE_RULES
from blox_core.record import Record
from blox_core.rules import FieldRules


@dataclass(frozen=True, kw_only=True)
class ModelShape(Record):
    """The channels of stage 1, the classes, and the side of a square image in pixels.

    Raises RecipeError for a size that no model has.
    """

    _FIELDS = FieldRules(noun="recipe", error=RecipeError, rules=SHAPE_RULES)

    stem_channels: int
    classes: int
    resolution: int
