"""How an architecture is trained, and what each field of that may hold."""

from blox_core.recipe.recipe import PRESETS, Recipe, preset

__all__ = ["PRESETS", "Recipe", "preset"]
