"""What is done with one batch: a step of training, and one of evaluation.

A step waits for the device nowhere, and finds everything but the positions of its batch in memory
that stays: it can be recorded in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from blox_core.recipe import Recipe
from blox_core.training.batches import Batches, Positions
from blox_core.training.optimizer import Optimizer
from blox_core.training.tally import Tally


class TrainingStep:
    """Judges a model in training mode on a batch of the epoch, then updates it."""

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, batches: Batches, recipe: Recipe, tally: Tally
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._batches = batches
        self._half = recipe.precision == "bf16"
        self._tally = tally

    @property
    def changed(self) -> Sequence[Tensor]:
        """All that a step changes and the next one reads."""
        state = self._model.state_dict().values()
        return [*state, *self._optimizer.momentum().values(), *self._tally.sums]

    def __call__(self, positions: Positions) -> None:
        images, labels = self._batches.training_batch(positions)
        logits = _logits(self._model, images, half=self._half)
        losses = cross_entropy(logits, labels, reduction="none")
        self._tally.add(logits.detach(), labels, losses.detach())
        self._optimizer.clear_gradients()
        torch.autograd.backward(losses.mean())
        self._optimizer.step()


class EvaluationStep:
    """Judges a model in evaluation mode on a batch of validation or test images."""

    def __init__(self, model: nn.Module, batches: Batches, recipe: Recipe, tally: Tally) -> None:
        self._model = model
        self._batches = batches
        self._half = recipe.precision == "bf16"
        self._tally = tally

    @property
    def changed(self) -> Sequence[Tensor]:
        """All that a step changes and the next one reads."""
        return self._tally.sums

    @torch.no_grad()
    def __call__(self, positions: Positions) -> None:
        images, labels = self._batches.held_out_batch(positions)
        logits = _logits(self._model, images, half=self._half)
        self._tally.add(logits, labels, cross_entropy(logits, labels, reduction="none"))


def _logits(model: nn.Module, images: Tensor, *, half: bool) -> Tensor:
    # Its cache of cast weights would outlive the step whose graph has made them.
    with torch.autocast(images.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
        logits: Tensor = model(images)
    return logits.float() if half else logits
