"""The trainers by their names: what trains a run, and the revision of it that is installed.

torch is loaded when a run of it is trained, and not before: the rest of a worker does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.data import load_data
from blox_core.recipe import Recipe
from blox_core.result import TrainingResult
from blox_core.result.epoch_report import EpochReport, Saveable
from blox_core.result.trainer_revision import TRAINER_REVISION
from blox_core.simulation import (
    SIMULATION_REVISION,
    SimulatedCheckpoint,
    load_simulated_checkpoint,
    simulate,
    simulation_identity,
)
from blox_core.space import Architecture
from blox_worker.errors import SimulatedFailure
from blox_worker.settings import WorkerSettings

if TYPE_CHECKING:
    from blox_core.data import TrainingData


class Trainer(Protocol):
    """What turns an architecture, a recipe and a seed into a result."""

    @property
    def revision(self) -> int:
        """The revision; it changes when results may."""

    def identity(
        self, architecture: Architecture, recipe: Recipe, seed: int, device: str
    ) -> CheckpointIdentity:
        """Return whose checkpoints a training may resume from."""

    def load_checkpoint(self, path: Path, identity: CheckpointIdentity) -> Saveable:
        """Read a checkpoint; raise CheckpointError if it is corrupt or of another training."""

    def train(
        self,
        architecture: Architecture,
        recipe: Recipe,
        seed: int,
        *,
        device: str,
        settings: WorkerSettings,
        checkpoint: Saveable | None,
        on_epoch: Callable[[EpochReport], None],
        should_stop: Callable[[], bool],
    ) -> TrainingResult:
        """Train to the end; a stop raises TrainingStopped with the last epoch's checkpoint."""


class TorchTrainer:
    """The real one: `blox_core.training`."""

    revision: int = TRAINER_REVISION

    def identity(
        self, architecture: Architecture, recipe: Recipe, seed: int, device: str
    ) -> CheckpointIdentity:
        """Return whose checkpoints a training may resume from."""
        from blox_core.training import training_identity

        return training_identity(architecture, recipe, seed, device)

    def load_checkpoint(self, path: Path, identity: CheckpointIdentity) -> Saveable:
        """Read a checkpoint; raise CheckpointError if it is corrupt or of another training."""
        from blox_core.checkpoint.checkpoint import load_checkpoint

        return load_checkpoint(path, identity)

    def train(
        self,
        architecture: Architecture,
        recipe: Recipe,
        seed: int,
        *,
        device: str,
        settings: WorkerSettings,
        checkpoint: Saveable | None,
        on_epoch: Callable[[EpochReport], None],
        should_stop: Callable[[], bool],
    ) -> TrainingResult:
        """Train to the end; a stop raises TrainingStopped with the last epoch's checkpoint."""
        from blox_core.checkpoint.checkpoint import Checkpoint
        from blox_core.training import train

        assert checkpoint is None or isinstance(checkpoint, Checkpoint), "load_checkpoint made it"
        return train(
            architecture,
            recipe,
            seed,
            device=device,
            data=_data(recipe, settings.data_dir),
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            should_stop=should_stop,
        )


class SimulatedTrainer:
    """The rehearsal: `blox_core.simulation`, at the worker's own pace, with failures if asked for."""

    revision: int = SIMULATION_REVISION

    def identity(
        self, architecture: Architecture, recipe: Recipe, seed: int, device: str
    ) -> CheckpointIdentity:
        """Return whose checkpoints a training may resume from."""
        return simulation_identity(architecture, recipe, seed)

    def load_checkpoint(self, path: Path, identity: CheckpointIdentity) -> Saveable:
        """Read a checkpoint; raise CheckpointError if it is corrupt or of another training."""
        return load_simulated_checkpoint(path, identity)

    def train(
        self,
        architecture: Architecture,
        recipe: Recipe,
        seed: int,
        *,
        device: str,
        settings: WorkerSettings,
        checkpoint: Saveable | None,
        on_epoch: Callable[[EpochReport], None],
        should_stop: Callable[[], bool],
    ) -> TrainingResult:
        """Go through the epochs; a stop raises TrainingStopped with the last one's checkpoint."""
        assert checkpoint is None or isinstance(checkpoint, SimulatedCheckpoint), "as loaded"
        fails = settings.simulates_failure(architecture.index)
        return simulate(
            architecture,
            recipe,
            seed,
            epoch_s=settings.simulated_epoch_s,
            checkpoint=checkpoint,
            on_epoch=_fail if fails else on_epoch,
            should_stop=should_stop,
        )


def _fail(report: EpochReport) -> None:
    raise SimulatedFailure(
        f"simulated training failed in epoch {report.epoch}, as BLOX_SIMULATED_FAILURES says"
    )


TRAINERS: Final[Mapping[str, Trainer]] = {"torch": TorchTrainer(), "simulated": SimulatedTrainer()}


@lru_cache(maxsize=1)
def _data(recipe: Recipe, data_dir: Path) -> TrainingData:
    """Load a recipe's data once a process: consecutive jobs are of one run."""
    return load_data(recipe, data_dir)
