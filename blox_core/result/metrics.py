"""The figures of a training: of one epoch, and of all as curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Losses = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a model did on a set of images.

    `top1` and `top5` count the correct images; `loss` is the mean cross-entropy of an image.
    """

    top1: int
    top5: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """One finished epoch.

    `train` is a running score: each batch was judged in training mode, augmented, before its own
    step. `seconds` is the time of training and validation, without callbacks.
    """

    train: Score
    val: Score
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """The metrics of all finished epochs, each (epochs,): numbers of correct images, mean losses."""

    train_top1: Counts
    train_top5: Counts
    train_loss: Losses
    val_top1: Counts
    val_top5: Counts
    val_loss: Losses

    def __len__(self) -> int:
        return len(self.val_top1)

    @classmethod
    def of(cls, epochs: Sequence[EpochMetrics]) -> Curves:
        """Return the curves of these epochs."""
        train, val = [epoch.train for epoch in epochs], [epoch.val for epoch in epochs]
        return cls(
            train_top1=np.array([score.top1 for score in train], np.int64),
            train_top5=np.array([score.top5 for score in train], np.int64),
            train_loss=np.array([score.loss for score in train], np.float64),
            val_top1=np.array([score.top1 for score in val], np.int64),
            val_top5=np.array([score.top5 for score in val], np.int64),
            val_loss=np.array([score.loss for score in val], np.float64),
        )


def best_epoch(epochs: Sequence[EpochMetrics]) -> int | None:
    """Return the epoch (from 1) of most correct validation images, None where there is none.

    Of equal ones it is the one of lower validation loss, then the earlier one.
    """
    return first_best([epoch.val.top1 for epoch in epochs], [epoch.val.loss for epoch in epochs])


def first_best(top1: Sequence[int], loss: Sequence[float]) -> int | None:
    """Return `best_epoch` of validation curves."""
    ranked = [
        (-correct, loss_then, number)
        for number, (correct, loss_then) in enumerate(zip(top1, loss, strict=True), 1)
    ]
    return min(ranked)[-1] if ranked else None
