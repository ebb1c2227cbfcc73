"""The trainers by their names: what trains a run, and the revision of it that is installed.

torch is loaded when a run of it is trained, and not before: the rest of a worker does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.data import load_data
from blox_core.recipe import Recipe
from blox_core.result import TrainingResult
from blox_core.result.epoch_report import EpochReport, Saveable
from blox_core.result.trainer_revision import TORCH, TRAINER_REVISION
from blox_core.simulation import (
    SIMULATED,
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


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A training that is to be done: of what, on which torch device, and who hears of it.

    `on_epoch` and `should_stop` are those of `blox_core.training.train`.
    """

    architecture: Architecture
    recipe: Recipe
    seed: int
    device: str
    settings: WorkerSettings
    on_epoch: Callable[[EpochReport], None]
    should_stop: Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class TrainerKind:
    """What turns an architecture, a recipe and a seed into a result.

    `revision` changes when results may; `identity` tells whose checkpoints a training may resume
    from; `load_checkpoint` reads one, or raises CheckpointError if it is corrupt or of another
    training. `train` goes from a checkpoint, if there is one, to the end; a stop raises
    TrainingStopped with the last epoch's.
    """

    revision: int
    identity: Callable[[Assignment], CheckpointIdentity]
    load_checkpoint: Callable[[Path, CheckpointIdentity], Saveable]
    train: Callable[[Assignment, Saveable | None], TrainingResult]


def _training_identity(assignment: Assignment) -> CheckpointIdentity:
    from blox_core.training import training_identity

    return training_identity(
        assignment.architecture, assignment.recipe, assignment.seed, assignment.device
    )


def _load_training_checkpoint(path: Path, identity: CheckpointIdentity) -> Saveable:
    from blox_core.checkpoint.checkpoint import load_checkpoint

    return load_checkpoint(path, identity)


def _train(assignment: Assignment, checkpoint: Saveable | None) -> TrainingResult:
    from blox_core.checkpoint.checkpoint import Checkpoint
    from blox_core.training import train

    assert checkpoint is None or isinstance(checkpoint, Checkpoint), "load_checkpoint made it"
    return train(
        assignment.architecture,
        assignment.recipe,
        assignment.seed,
        device=assignment.device,
        data=_data(assignment.recipe, assignment.settings.data_dir),
        checkpoint=checkpoint,
        on_epoch=assignment.on_epoch,
        should_stop=assignment.should_stop,
    )


@lru_cache(maxsize=1)
def _data(recipe: Recipe, data_dir: Path) -> TrainingData:
    """Load a recipe's data once a process: consecutive jobs are of one run."""
    return load_data(recipe, data_dir)


def _simulation_identity(assignment: Assignment) -> CheckpointIdentity:
    return simulation_identity(assignment.architecture, assignment.recipe, assignment.seed)


def _simulate(assignment: Assignment, checkpoint: Saveable | None) -> TrainingResult:
    """Rehearse a training at the worker's own pace, with failures if asked for."""
    assert checkpoint is None or isinstance(checkpoint, SimulatedCheckpoint), "as loaded"
    fails = assignment.settings.simulates_failure(assignment.architecture.index)
    return simulate(
        assignment.architecture,
        assignment.recipe,
        assignment.seed,
        epoch_s=assignment.settings.simulated_epoch_s,
        checkpoint=checkpoint,
        on_epoch=_fail if fails else assignment.on_epoch,
        should_stop=assignment.should_stop,
    )


def _fail(report: EpochReport) -> None:
    raise SimulatedFailure(
        f"simulated training failed in epoch {report.epoch}, as BLOX_SIMULATED_FAILURES says"
    )


TRAINERS: Final[Mapping[str, TrainerKind]] = {
    TORCH: TrainerKind(
        revision=TRAINER_REVISION,
        identity=_training_identity,
        load_checkpoint=_load_training_checkpoint,
        train=_train,
    ),
    SIMULATED: TrainerKind(
        revision=SIMULATION_REVISION,
        identity=_simulation_identity,
        load_checkpoint=load_simulated_checkpoint,
        train=_simulate,
    ),
}
