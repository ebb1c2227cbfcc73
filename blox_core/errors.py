"""Every error that Blox raises on purpose derives from `BloxError`.

    BloxError
    ├── ArchitectureError          ValueError     no such architecture
    ├── UnknownArchitecture        KeyError       no architecture has this model hash
    ├── RecipeError                ValueError     a recipe, or a number in one, is not allowed
    ├── DatasetMissing             FileNotFoundError   the training data is not on this node
    ├── ExtraMissing               ImportError    an optional dependency is not installed
    ├── CompilationFailed          OSError        blocks cannot be compiled on this node
    ├── CheckpointError            ValueError     a checkpoint is corrupt or of another job
    ├── LoadError                  ValueError     nothing can be measured of such a load
    ├── LatencyError               ValueError     a latency protocol or figure is not allowed
    ├── CannotMeasure              OSError        this node cannot measure by a latency protocol
    ├── MeasurementStopped         RuntimeError   a measurement ended early because it was asked to
    ├── MeasurementFailed          RuntimeError   a process that was measured has failed
    │   └── DeviceOutOfMemory                     the device has too little memory for the load
    └── TrainingStopped            RuntimeError   a training ended early because it was asked to

`blox_store.errors` and `blox_worker.errors` add those of their packages.
Messages say what was got, what is allowed and what to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blox_core.result.epoch_report import Saveable


class BloxError(Exception):
    """The root of all errors that Blox raises on purpose."""


class ArchitectureError(BloxError, ValueError):
    """An arch vector or arch index that denotes no architecture of the search space."""


class UnknownArchitecture(BloxError, KeyError):
    """A model hash that no architecture of the search space has."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr of the message


class RecipeError(BloxError, ValueError):
    """A recipe that does not exist, or a number in one that is not allowed."""


class DatasetMissing(BloxError, FileNotFoundError):
    """The training data is not on this node and could not be fetched."""

    def __str__(self) -> str:
        return str(self.args[0])


class ExtraMissing(BloxError, ImportError):
    """An optional dependency is needed and not installed."""


class CompilationFailed(BloxError, OSError):
    """The blocks of a network cannot be compiled on this node."""


class CheckpointError(BloxError, ValueError):
    """A checkpoint file that is corrupt, or that belongs to another training."""


class LoadError(BloxError, ValueError):
    """A load of which no throughput can be measured."""


class LatencyError(BloxError, ValueError):
    """A latency protocol, a measurement or a predictor, or a number in one, that is not allowed."""


class CannotMeasure(BloxError, OSError):
    """This node lacks what a latency protocol takes: a GPU, or cores."""


class MeasurementStopped(BloxError, RuntimeError):
    """A measurement of a latency that ended early because it was asked to."""


class MeasurementFailed(BloxError, RuntimeError):
    """A measurement of throughput that ended early because one of its processes failed."""


class DeviceOutOfMemory(MeasurementFailed):
    """A load that needs more memory than the device has."""


class TrainingStopped(BloxError, RuntimeError):
    """A training that ended early because it was asked to; `checkpoint` is where it resumes.

    `checkpoint` is None if no epoch was finished.
    """

    def __init__(self, message: str, checkpoint: Saveable | None) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint
