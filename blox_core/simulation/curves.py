"""Made-up figures in the shape of real ones, in closed form.

Only what IEEE 754 rounds exactly is used (no exponentials, none of NumPy's generators), so that
every machine and every version makes up the same bits.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.recipe import Recipe
from blox_core.result.metrics import Counts, Curves, EpochMetrics, Losses, Score, first_best

Floats = NDArray[np.float64]

# All made up. A skill of 0 is guessing, of 1 never being wrong.
_FINAL_SKILL: Final = (0.3, 0.9)  # on validation images, of the worst and the best architecture
_HALFWAY: Final = (0.05, 0.35)  # part of the epochs after which about half of that is learnt
_SEED_SPREAD: Final = 0.01  # of the final skill, between seeds
_OVERFIT: Final = 0.5  # part of the errors on new images that are not made on training images
_AUGMENTATION: Final = 0.2  # part of the skill that training images hide in the beginning
_NOISE: Final = (0.03, 0.004)  # of a validation skill, in the beginning and in the end
_TRAIN_NOISE: Final = 0.2  # part of it on training images, which are many
_RELATIVE_NOISE: Final = 0.03  # of losses and seconds
_EPOCH_S: Final = (1.0, 4.0)
_LARGEST_GUESSING_LOSS: Final = 16.0  # release files hold losses below 16.777216


@dataclass(frozen=True, kw_only=True, eq=False)
class _Split:
    """The scores of some epochs on one set of images, each (epochs,)."""

    top1: Counts
    top5: Counts
    loss: Losses

    def score(self, epoch: int) -> Score:
        """Return the score of an epoch (from 1)."""
        top1, top5, loss = (curve[epoch - 1] for curve in (self.top1, self.top5, self.loss))
        return Score(top1=int(top1), top5=int(top5), loss=float(loss))


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedFigures:
    """What a simulated training gives; `seconds` has the duration of each epoch."""

    train: _Split
    val: _Split
    seconds: list[float]
    best_epoch: int
    test: Score

    @property
    def curves(self) -> Curves:
        """The metrics of all epochs."""
        return Curves(
            train_top1=self.train.top1,
            train_top5=self.train.top5,
            train_loss=self.train.loss,
            val_top1=self.val.top1,
            val_top5=self.val.top5,
            val_loss=self.val.loss,
        )

    def epoch(self, epoch: int) -> EpochMetrics:
        """Return the metrics of an epoch (from 1)."""
        return EpochMetrics(
            train=self.train.score(epoch),
            val=self.val.score(epoch),
            seconds=self.seconds[epoch - 1],
        )


def simulated_figures(identity: CheckpointIdentity, recipe: Recipe) -> SimulatedFigures:
    """Return the figures of a training that nobody did: a function of index, recipe and seed.

    How good, how quick to learn and how slow an architecture is depends on index and recipe; the
    seed adds noise.
    """
    architecture = f"{identity.arch_index} {identity.recipe_fingerprint}"
    quality, ease, slowness = _uniform(architecture, 3).tolist()
    noise = 2 * _uniform(f"{architecture} {identity.seed}", 5 * recipe.epochs + 3) - 1
    luck, *test_noise = noise[:3].tolist()
    val_noise, train_noise, val_loss_noise, train_loss_noise, pace = noise[3:].reshape(5, -1)

    progress = np.arange(1, recipe.epochs + 1) / recipe.epochs
    final = _between(_FINAL_SKILL, quality) + _SEED_SPREAD * luck
    learnt = final * _learnt(progress, _between(_HALFWAY, ease))
    amplitude = _between(_NOISE, progress)
    val_skill = learnt + amplitude * val_noise
    train_skill = (
        learnt * (1 - _AUGMENTATION * (1 - progress))
        + _OVERFIT * (1 - final) * progress
        + _TRAIN_NOISE * amplitude * train_noise
    )
    train = _split(train_skill, train_loss_noise, recipe.train_images, recipe.classes)
    val = _split(val_skill, val_loss_noise, recipe.val_images, recipe.classes)
    best = first_best(val.top1.tolist(), val.loss.tolist())
    assert best is not None  # a recipe has an epoch
    test_skill = val_skill[best - 1 : best] + _NOISE[1] * test_noise[0]
    test = _split(test_skill, test_noise[1], recipe.test_images, recipe.classes)
    return SimulatedFigures(
        train=train,
        val=val,
        seconds=(_between(_EPOCH_S, slowness) * (1 + _RELATIVE_NOISE * pace)).tolist(),
        best_epoch=best,
        test=test.score(1),
    )


def _learnt(progress: Floats, halfway: float) -> Floats:
    """Return which part of the final skill is there: half of it about `halfway`, 1 at the end."""
    return progress * (1 + halfway) / (progress + halfway)


def _split(skill: Floats, loss_noise: Floats | float, images: int, classes: int) -> _Split:
    """Return the scores of these skills: (epochs,) each."""
    skill = np.clip(skill, 0.0, 1.0)
    guessed = min(4 / (classes - 1), 1.0)  # how often four guesses hit what the first one missed
    top1 = 1 / classes + (1 - 1 / classes) * skill
    top5 = top1 + (1 - top1) * (guessed + (1 - guessed) * skill)
    # Rounded, because mathematical libraries differ in the last bits of a logarithm.
    guessing_loss = min(round(math.log(classes), 3), _LARGEST_GUESSING_LOSS)
    return _Split(
        top1=np.rint(images * top1).astype(np.int64),
        top5=np.rint(images * top5).astype(np.int64),
        loss=guessing_loss * (1 - 0.98 * skill) * (1 + _RELATIVE_NOISE * loss_noise),
    )


def _between(ends: tuple[float, float], position: float | Floats) -> Any:
    return ends[0] + (ends[1] - ends[0]) * position


def _uniform(text: str, count: int) -> Floats:
    """Return numbers from 0 to below 1, drawn by a text: the digits of a hash of any length."""
    digest = hashlib.shake_256(text.encode("ascii")).digest(4 * count)
    return np.frombuffer(digest, "<u4") / 2**32
