"""What a training gives, as a value that needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blox_core.result.environment import Environment
from blox_core.result.metrics import Curves, Score

Status = Literal["succeeded", "diverged"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """All figures of one training.

    A `diverged` one met a loss that is not finite; its curves end before that epoch. `best_epoch`
    counts from 1, and `test` is the score of its weights; both are None if no epoch was finished.
    `train_time_s` sums training and validation of the epochs in the curves, over all attempts.
    """

    arch_index: int
    recipe_fingerprint: str
    seed: int
    trainer_revision: int
    status: Status
    curves: Curves
    best_epoch: int | None
    test: Score | None
    train_time_s: float
    environment: Environment
