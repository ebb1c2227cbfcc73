"""The training loop: plain, and the same bits every time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from blox_core.checkpoint.checkpoint import Checkpoint, Tensors
from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.errors import TrainingStopped
from blox_core.model import Network, build_model
from blox_core.model.compiled import compile_blocks
from blox_core.numerics import weight_type
from blox_core.randomness import Stream, seeded_torch
from blox_core.recipe import Recipe
from blox_core.result.epoch_report import EpochReport
from blox_core.result.metrics import EpochMetrics, Score, best_epoch
from blox_core.space import Architecture
from blox_core.training.batches import Batches, Positions
from blox_core.training.optimizer import Optimizer
from blox_core.training.replay import runner
from blox_core.training.steps import EvaluationStep, TrainingStep
from blox_core.training.tally import Tally


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a training ended; `best_epoch` and `test` are None if no epoch was finished."""

    epochs: tuple[EpochMetrics, ...]
    best_epoch: int | None
    test: Score | None
    diverged: bool


class Trainer:
    """One training in progress: model, optimizer, and the checkpoint of the last epoch."""

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        identity: CheckpointIdentity,
        batches: Batches,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._recipe = recipe
        self._identity = identity
        self._should_stop = should_stop
        self._batches = batches
        device = batches.device
        self._model = initial_model(architecture, recipe, identity.seed).to(device)
        if recipe.compiled:
            compile_blocks(self._model, deterministic=recipe.deterministic)
        self._optimizer = Optimizer(self._model, recipe)
        self._tally = Tally(device)
        self._training_step = runner(
            TrainingStep(self._model, self._optimizer, batches, recipe, self._tally), recipe, device
        )
        self._evaluation_step = runner(
            EvaluationStep(self._model, batches, recipe, self._tally), recipe, device
        )
        self._latest: Checkpoint | None = None

    def run(
        self, checkpoint: Checkpoint | None, on_epoch: Callable[[EpochReport], None] | None
    ) -> Outcome:
        """Train from the checkpoint, or the start, to the end."""
        if checkpoint is not None:
            self._restore(checkpoint)
        for epoch in range(len(self._epochs) + 1, self._recipe.epochs + 1):
            metrics = self._run_epoch(epoch)
            if not (math.isfinite(metrics.train.loss) and math.isfinite(metrics.val.loss)):
                return self._outcome(diverged=True)
            self._latest = self._snapshot(metrics)
            if on_epoch is not None:
                on_epoch(self._report(self._latest))
        return self._outcome(diverged=False)

    @property
    def _epochs(self) -> tuple[EpochMetrics, ...]:
        return () if self._latest is None else self._latest.epochs

    def _run_epoch(self, epoch: int) -> EpochMetrics:
        start = time.perf_counter()
        train = self._train(epoch)
        val = self._evaluate(self._batches.validation()) if math.isfinite(train.loss) else train
        return EpochMetrics(train=train, val=val, seconds=time.perf_counter() - start)

    def _train(self, epoch: int) -> Score:
        """Take one step on every batch."""
        self._optimizer.set_learning_rate(learning_rate(self._recipe, epoch))
        self._model.train()
        for positions in self._batches.training(self._identity.seed, epoch):
            self._stop_if_asked()
            self._training_step(positions)
        return self._tally.take()

    def _evaluate(self, batches: Iterable[Positions]) -> Score:
        self._model.eval()
        for positions in batches:
            self._stop_if_asked()
            self._evaluation_step(positions)
        return self._tally.take()

    def _stop_if_asked(self) -> None:
        if self._should_stop is not None and self._should_stop():
            raise TrainingStopped(
                f"training stopped after epoch {len(self._epochs)} of {self._recipe.epochs}",
                None if self._latest is None else self._latest.on_cpu(),
            )

    def _outcome(self, *, diverged: bool) -> Outcome:
        """Score the best epoch's weights on the test images and end."""
        test = None
        if self._latest is not None:
            self._model.load_state_dict(self._latest.best_model)
            test = self._evaluate(self._batches.test())
            diverged = diverged or not math.isfinite(test.loss)
        return Outcome(
            epochs=self._epochs, best_epoch=best_epoch(self._epochs), test=test, diverged=diverged
        )

    def _report(self, latest: Checkpoint) -> EpochReport:
        return EpochReport(
            epoch=latest.epoch,
            epochs=self._recipe.epochs,
            metrics=latest.epochs[-1],
            checkpoint=latest.on_cpu,
        )

    def _snapshot(self, metrics: EpochMetrics) -> Checkpoint:
        """Copy the state after an epoch; the copies stay on the device until somebody asks."""
        epochs = (*self._epochs, metrics)
        model = copied(self._model.state_dict())
        is_best = best_epoch(epochs) == len(epochs)
        return Checkpoint(
            identity=self._identity,
            epochs=epochs,
            model=model,
            momentum=copied(self._optimizer.momentum()),
            best_model=model if self._latest is None or is_best else self._latest.best_model,
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        self._model.load_state_dict(checkpoint.model)
        self._optimizer.restore(checkpoint.momentum)
        self._latest = checkpoint


def copied(tensors: Tensors) -> Tensors:
    """Return copies on the same device."""
    return {name: tensor.clone() for name, tensor in tensors.items()}


def initial_model(architecture: Architecture, recipe: Recipe, seed: int) -> Network:
    """Return the untrained model, on the CPU; its weights depend on the seed alone."""
    with seeded_torch(seed, Stream.INITIALISATION):
        model = build_model(architecture.arch_vec, recipe.classes, recipe.stem_channels)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    return model.to(weight_type(recipe)).to(memory_format=layout)


def learning_rate(recipe: Recipe, epoch: int) -> float:
    """Return the learning rate of an epoch (from 1): half a cosine from `lr` towards 0.

    Source: SGDR (Loshchilov and Hutter, 2017), equation 5, without restarts or a minimum.
    """
    return recipe.lr * (1 + math.cos(math.pi * (epoch - 1) / recipe.epochs)) / 2
