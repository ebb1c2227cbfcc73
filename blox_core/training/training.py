"""Training one architecture: a function of its arguments on one kind of device."""

from __future__ import annotations

from collections.abc import Callable

import torch

from blox_core.checkpoint.checkpoint import Checkpoint
from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.data.training_data import TrainingData
from blox_core.numerics import numerics
from blox_core.recipe import Recipe
from blox_core.recipe.fields import check_seed
from blox_core.result import TrainingResult
from blox_core.result.epoch_report import EpochReport
from blox_core.result.metrics import Curves
from blox_core.result.trainer_revision import TRAINER_REVISION
from blox_core.space import Architecture
from blox_core.training.batches import kept_batches
from blox_core.training.provenance import environment_of
from blox_core.training.trainer import Trainer

__all__ = ["TRAINER_REVISION", "EpochReport", "TrainingResult", "train", "training_identity"]


def train(
    architecture: Architecture,
    recipe: Recipe,
    seed: int,
    *,
    device: torch.device | str,
    data: TrainingData,
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Train one architecture and return all its figures.

    From a `checkpoint` it goes on to the very result of a training that was never interrupted.
    `on_epoch` is called after every epoch; what it raises ends the training. `should_stop` is
    asked before every batch; a stop raises TrainingStopped with the checkpoint of the last
    finished epoch. A loss that is not finite is no error: the result's status is `diverged`.
    Global random states and torch's switches are left as they were.

    Raises CheckpointError for another training's checkpoint, RecipeError if data or seed do not
    fit.
    """
    check_seed(seed)
    device = torch.device(device)
    data.check(recipe)
    identity = training_identity(architecture, recipe, seed, device)
    if checkpoint is not None:
        identity.check(checkpoint.identity, "the given checkpoint")
    environment = environment_of(device)
    with numerics(recipe, device):
        batches = kept_batches(recipe, data, device)
        trainer = Trainer(architecture, recipe, identity, batches, should_stop)
        outcome = trainer.run(checkpoint, on_epoch)
    return TrainingResult(
        arch_index=architecture.index,
        recipe_fingerprint=recipe.fingerprint,
        seed=seed,
        trainer_revision=TRAINER_REVISION,
        status="diverged" if outcome.diverged else "succeeded",
        curves=Curves.of(outcome.epochs),
        best_epoch=outcome.best_epoch,
        test=outcome.test,
        train_time_s=sum(metrics.seconds for metrics in outcome.epochs),
        environment=environment,
    )


def training_identity(
    architecture: Architecture, recipe: Recipe, seed: int, device: torch.device | str
) -> CheckpointIdentity:
    """Return the identity of a training's checkpoints."""
    return CheckpointIdentity(
        arch_index=architecture.index,
        recipe_fingerprint=recipe.fingerprint,
        seed=seed,
        trainer_revision=TRAINER_REVISION,
        torch_version=str(torch.__version__),  # is of a subclass
        device_kind=torch.device(device).type,
    )
