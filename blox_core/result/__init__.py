"""What a training gives and what it was made with: values that need no torch."""

from blox_core.result.training_result import TrainingResult

__all__ = ["TrainingResult"]
