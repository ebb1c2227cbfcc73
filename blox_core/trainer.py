"""The training loop: plain, and the same bits every time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from blox_core.batches import Batch, Batches
from blox_core.checkpoint import Checkpoint, Tensors
from blox_core.data.training_data import TrainingData
from blox_core.epoch_report import EpochReport
from blox_core.errors import TrainingStopped
from blox_core.identity import CheckpointIdentity
from blox_core.metrics import EpochMetrics, Score, best_epoch
from blox_core.model import build_model
from blox_core.numerics import weight_type
from blox_core.randomness import Stream, seeded_torch
from blox_core.recipe import Recipe
from blox_core.space import Architecture
from blox_core.tally import Tally


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
        device: torch.device,
        data: TrainingData,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._recipe = recipe
        self._identity = identity
        self._device = device
        self._should_stop = should_stop
        self._batches = Batches(recipe, identity.seed, data, device)
        self._model = initial_model(architecture, recipe, identity.seed).to(device)
        self._optimizer = torch.optim.SGD(
            self._model.parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
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
        """Take one step on every batch; end at the first loss that is not finite."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._recipe, epoch)
        self._model.train()
        tally = Tally(self._device)
        for images, labels in self._batches.training(epoch):
            self._stop_if_asked()
            logits = self._logits(images)
            losses = cross_entropy(logits, labels, reduction="none")
            tally.add(logits.detach(), labels, losses.detach())
            if not tally.is_finite():
                break
            self._optimizer.zero_grad()
            torch.autograd.backward(losses.mean())
            self._optimizer.step()
        return tally.score()

    @torch.no_grad()
    def _evaluate(self, batches: Iterable[Batch]) -> Score:
        self._model.eval()
        tally = Tally(self._device)
        for images, labels in batches:
            self._stop_if_asked()
            logits = self._logits(images)
            tally.add(logits, labels, cross_entropy(logits, labels, reduction="none"))
        return tally.score()

    def _logits(self, images: Tensor) -> Tensor:
        half = self._recipe.precision == "bf16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
            logits: Tensor = self._model(images)
        return logits.float() if half else logits

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
        model = {name: value.clone() for name, value in self._model.state_dict().items()}
        is_best = best_epoch(epochs) == len(epochs)
        return Checkpoint(
            identity=self._identity,
            epochs=epochs,
            model=model,
            momentum=self._momentum(),
            best_model=model if self._latest is None or is_best else self._latest.best_model,
        )

    def _momentum(self) -> Tensors:
        return {
            name: buffer.clone()
            for name, parameter in self._model.named_parameters()
            if (buffer := self._optimizer.state[parameter].get("momentum_buffer")) is not None
        }

    def _restore(self, checkpoint: Checkpoint) -> None:
        self._model.load_state_dict(checkpoint.model)
        parameters = dict(self._model.named_parameters())
        for name, buffer in checkpoint.momentum.items():
            parameter = parameters[name]
            copy = torch.empty_like(parameter).copy_(buffer)
            self._optimizer.state[parameter]["momentum_buffer"] = copy
        self._latest = checkpoint


def initial_model(architecture: Architecture, recipe: Recipe, seed: int) -> nn.Module:
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
