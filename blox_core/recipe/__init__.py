"""How an architecture is trained, and what each field of that may hold."""

from blox_core.recipe.recipe import PRESETS, Recipe, preset
from blox_core.recipe.shape import ModelShape

__all__ = ["PRESETS", "ModelShape", "Recipe", "preset"]
