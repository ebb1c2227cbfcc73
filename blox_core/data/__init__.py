"""The images that models are trained and judged on."""

from blox_core.data.loading import load_data
from blox_core.data.training_data import TrainingData

__all__ = ["TrainingData", "load_data"]
