"""What a measurement gives, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from blox_core.result.environment import Environment
from blox_core.space import SPACE_SIZE
from blox_core.throughput.load import Load

_HOUR_S: Final = 3600


@dataclass(frozen=True, kw_only=True)
class TrainingTime:
    """The times of one training, those of an epoch and of the test as if of all images.

    `epoch_s` is the median of training and validation after the first epoch, `start_up_s` what
    the end of the first epoch took longer to come, and `test_s` what followed the last epoch.
    """

    arch_index: int
    start_up_s: float
    epoch_s: float
    test_s: float


@dataclass(frozen=True, kw_only=True)
class ProcessFigures:
    """What one process has measured; see `Throughput` for what is in bytes."""

    trainings: tuple[TrainingTime, ...]
    environment: Environment
    device_bytes: int | None
    allocated_bytes: int | None
    resident_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """How fast `processes` side by side train, and the most memory that they took.

    Seconds are of one model. `device_bytes` of a GPU were taken in all, by anybody;
    `allocated_bytes` torch gave out in one process; both are None on a CPU. `resident_bytes` are
    of one process, None where the system does not tell.
    """

    processes: int
    epochs: int
    start_up_s: float
    epoch_s: float
    test_s: float
    device_bytes: int | None
    allocated_bytes: int | None
    resident_bytes: int | None
    environment: Environment
    trainings: tuple[TrainingTime, ...]

    @classmethod
    def of(cls, load: Load, measured: Sequence[ProcessFigures]) -> Throughput:
        """Return the figures of a load from those of its processes.

        Epochs and tests differ between architectures: their means count. Of the start-ups the
        median does, since the first one in a process takes long and a worker has only one.
        """
        trainings = tuple(training for process in measured for training in process.trainings)
        return cls(
            processes=load.processes,
            epochs=load.recipe.epochs,
            start_up_s=median(training.start_up_s for training in trainings),
            epoch_s=fmean(training.epoch_s for training in trainings),
            test_s=fmean(training.test_s for training in trainings),
            device_bytes=_most(process.device_bytes for process in measured),
            allocated_bytes=_most(process.allocated_bytes for process in measured),
            resident_bytes=_most(process.resident_bytes for process in measured),
            environment=measured[0].environment,
            trainings=trainings,
        )

    @property
    def model_s(self) -> float:
        """Seconds from the start of a model to its result."""
        return self.start_up_s + self.epochs * self.epoch_s + self.test_s

    @property
    def models_per_hour(self) -> float:
        """Models that all processes together train in an hour."""
        return self.processes * _HOUR_S / self.model_s

    @property
    def full_run_hours(self) -> float:
        """Hours of this device for all architectures."""
        return SPACE_SIZE / self.models_per_hour


def _most(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
