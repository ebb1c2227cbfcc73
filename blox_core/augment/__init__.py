"""Augmentation of a whole epoch's images at once, on the device of the training."""

from blox_core.augment.parameters import EpochParameters, draw_parameters
from blox_core.augment.pipeline import Augmentation

__all__ = ["Augmentation", "EpochParameters", "draw_parameters"]
