"""Training one architecture, with the same bits every time."""

from blox_core.result import TrainingResult
from blox_core.training.training import train, training_identity

__all__ = ["TrainingResult", "train", "training_identity"]
