"""Trainings that nobody does, to rehearse a benchmark: all but their figures is real."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from threading import Event
from typing import Final

from blox_core.checkpoint.file import foreign, new_checkpoint, read_checkpoint
from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.errors import TrainingStopped
from blox_core.recipe import Recipe
from blox_core.recipe.fields import check_seed
from blox_core.result import TrainingResult
from blox_core.result.environment import NONE, Environment
from blox_core.result.epoch_report import EpochReport
from blox_core.simulation.curves import SimulatedFigures, simulated_figures
from blox_core.space import Architecture

# Changes when the made-up figures do, and only then.
SIMULATION_REVISION: Final = 1
MAGIC: Final = b"blox simulated checkpoint 1\n"
SIMULATED: Final = "simulated"  # the trainer of such runs, and every string of their environment
STOP_POLL_S: Final = 0.05

ENVIRONMENT: Final = Environment(**{field.name: SIMULATED for field in fields(Environment)})


@dataclass(frozen=True, kw_only=True)
class SimulatedCheckpoint:
    """How many epochs of a simulated training are finished."""

    identity: CheckpointIdentity
    epoch: int

    def save(self, path: str | Path) -> None:
        """Write the checkpoint; a file of that name is replaced at once or not at all."""
        with new_checkpoint(path, MAGIC) as payload:
            payload.write(json.dumps(asdict(self)).encode("ascii"))


def load_simulated_checkpoint(
    path: str | Path, identity: CheckpointIdentity
) -> SimulatedCheckpoint:
    """Read a checkpoint.

    Raises CheckpointError if the file is missing, unreadable, corrupt, or of another training.
    """
    payload = read_checkpoint(path, MAGIC)
    try:
        content = json.loads(payload)
        checkpoint = SimulatedCheckpoint(
            identity=CheckpointIdentity(**content["identity"]), epoch=int(content["epoch"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise foreign(path, error) from error
    identity.check(checkpoint.identity, f"checkpoint {path}")
    return checkpoint


def simulation_identity(
    architecture: Architecture, recipe: Recipe, seed: int
) -> CheckpointIdentity:
    """Return the identity of a simulated training's checkpoints, which are good on any machine."""
    return CheckpointIdentity(
        arch_index=architecture.index,
        recipe_fingerprint=recipe.fingerprint,
        seed=seed,
        trainer_revision=SIMULATION_REVISION,
        torch_version=NONE,
        device_kind=NONE,
    )


def simulated_result(architecture: Architecture, recipe: Recipe, seed: int) -> TrainingResult:
    """Return the result of a simulated training at once; RecipeError if the seed does not fit."""
    check_seed(seed)
    identity = simulation_identity(architecture, recipe, seed)
    return _result(identity, simulated_figures(identity, recipe))


def simulate(
    architecture: Architecture,
    recipe: Recipe,
    seed: int,
    *,
    epoch_s: float,
    checkpoint: SimulatedCheckpoint | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Go through the epochs as `train` does, each in `epoch_s` seconds, to `simulated_result`.

    `should_stop` is asked before every epoch and every 50 ms; `checkpoint`, `on_epoch`, a stop and
    the errors are as those of `blox_core.training.train`.
    """
    check_seed(seed)
    identity = simulation_identity(architecture, recipe, seed)
    if checkpoint is not None:
        identity.check(checkpoint.identity, "the given checkpoint")
    figures = simulated_figures(identity, recipe)
    latest = checkpoint
    for epoch in range(1 if latest is None else latest.epoch + 1, recipe.epochs + 1):
        if not _wait(epoch_s, should_stop):
            raise TrainingStopped(
                f"training stopped after epoch {epoch - 1} of {recipe.epochs}", latest
            )
        latest = SimulatedCheckpoint(identity=identity, epoch=epoch)
        if on_epoch is not None:
            on_epoch(_report(figures, latest, recipe.epochs))
    return _result(identity, figures)


def _wait(seconds: float, should_stop: Callable[[], bool] | None) -> bool:
    """Let an epoch's time pass; return False as soon as a stop is asked for."""
    end, pause = time.monotonic() + seconds, Event()  # time.sleep fails under libfaketime
    while should_stop is None or not should_stop():
        left = end - time.monotonic()
        if left <= 0:
            return True
        pause.wait(min(left, STOP_POLL_S))  # a stop is a question here, and no event to wait for
    return False


def _report(figures: SimulatedFigures, latest: SimulatedCheckpoint, epochs: int) -> EpochReport:
    return EpochReport(
        epoch=latest.epoch,
        epochs=epochs,
        metrics=figures.epoch(latest.epoch),
        checkpoint=lambda: latest,
    )


def _result(identity: CheckpointIdentity, figures: SimulatedFigures) -> TrainingResult:
    return TrainingResult(
        arch_index=identity.arch_index,
        recipe_fingerprint=identity.recipe_fingerprint,
        seed=identity.seed,
        trainer_revision=identity.trainer_revision,
        status="succeeded",
        curves=figures.curves,
        best_epoch=figures.best_epoch,
        test=figures.test,
        train_time_s=math.fsum(figures.seconds),
        environment=ENVIRONMENT,
    )
