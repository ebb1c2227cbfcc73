"""The training metrics of a release, under the published names of the queries."""

from __future__ import annotations

import random
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blox_store.dataset.arch_argument import Arch, Indices, resolve
from blox_store.dataset.queries.answers import Seed, of_curve, of_number, of_seconds
from blox_store.dataset.training import TrainingResults
from blox_store.dataset.training_file import TrainingFile

Float: TypeAlias = float | NDArray[np.float64] | None
Seconds: TypeAlias = int | float | NDArray[np.integer[Any]] | NDArray[np.floating[Any]] | None


class TrainingMetrics:
    """Accuracies, losses and times by architecture.

    Accuracies are percentages. Every method takes one architecture and returns a plain number, or
    None if the release leaves it out; or many, and returns an array (n,), or raises NotInRelease.
    `epoch` counts from 1 and means the last one if None; `best` takes the best value of the epochs
    up to it. `seed=None` means a random one of the loaded seeds, one for each call; where seeds with
    different architectures are loaded (`validate_data=False`), one of those that have them all. It is
    drawn by Python's own `random`, as in the published package: `random.seed` repeats a search, and
    processes that were forked or got a pickle draw apart. With `rng` it is drawn from that, of which a
    fork and a pickle are copies.

    Raises ArchitectureError for what denotes no architecture, QueryError for an epoch or a seed
    that is not there and for a column whose file is not loaded.
    """

    def __init__(self, training: TrainingResults, rng: np.random.Generator | int | None) -> None:
        self._training = training
        self._base = training.base
        self._rng = None if rng is None else np.random.default_rng(rng)

    @property
    def seeds(self) -> list[int]:
        """The seeds of the loaded trainings."""
        return list(self._training.seeds)

    @of_curve
    def val_acc(
        self, arch: Arch, epoch: int | None = None, best: bool = True, seed: Seed = None
    ) -> Float:
        """Return the validation accuracy (top-1)."""
        return self._curve("val_top1", arch, epoch, best, seed)

    @of_curve
    def val_top5(
        self, arch: Arch, epoch: int | None = None, best: bool = True, seed: Seed = None
    ) -> Float:
        """Return the validation accuracy (top-5)."""
        return self._curve("val_top5", arch, epoch, best, seed)

    @of_curve
    def val_loss(
        self, arch: Arch, epoch: int | None = None, best: bool = False, seed: Seed = None
    ) -> Float:
        """Return the validation loss."""
        return self._curve("val_loss", arch, epoch, best, seed)

    @of_curve
    def train_acc(
        self, arch: Arch, epoch: int | None = None, best: bool = True, seed: Seed = None
    ) -> Float:
        """Return the training accuracy (top-1)."""
        return self._curve("train_top1", arch, epoch, best, seed)

    @of_curve
    def train_top5(
        self, arch: Arch, epoch: int | None = None, best: bool = True, seed: Seed = None
    ) -> Float:
        """Return the training accuracy (top-5)."""
        return self._curve("train_top5", arch, epoch, best, seed)

    @of_curve
    def train_loss(
        self, arch: Arch, epoch: int | None = None, best: bool = False, seed: Seed = None
    ) -> Float:
        """Return the training loss."""
        return self._curve("train_loss", arch, epoch, best, seed)

    @of_number
    def test_acc(self, arch: Arch, seed: Seed = None) -> Float:
        """Return the test accuracy (top-1) at the epoch of the best validation accuracy."""
        return self._number("test_top1", arch, seed)

    @of_number
    def test_loss(self, arch: Arch, seed: Seed = None) -> Float:
        """Return the test loss at the epoch of the best validation accuracy."""
        return self._number("test_loss", arch, seed)

    @of_number
    def test_top5(self, arch: Arch, seed: Seed = None) -> Float:
        """Return the test accuracy (top-5) at the epoch of the best validation accuracy."""
        return self._number("test_top5", arch, seed)

    @of_seconds
    def train_time(self, arch: Arch, epoch: int | None = None, seed: Seed = None) -> Seconds:
        """Return the seconds that the training took, or its share of the first `epoch` epochs."""
        file, index = self._file("train_time_s", arch, seed)
        seconds = file.integer("train_time_s", index)
        if epoch is None or seconds is None:
            return seconds
        # The published order of the operations: the other one differs in the last bit.
        return seconds * (file.checked_epoch(epoch) / file.epochs)

    def _curve(self, column: str, arch: Arch, epoch: int | None, best: bool, seed: Seed) -> Float:
        file, index = self._file(column, arch, seed)
        return file.at_epoch(column, index, epoch, bool(best))

    def _number(self, column: str, arch: Arch, seed: Seed) -> Float:
        file, index = self._file(column, arch, seed)
        return file.number(column, index)

    def _file(self, column: str, arch: Arch, seed: Seed) -> tuple[TrainingFile, int | Indices]:
        index = resolve(arch)
        return self._training.file_with(column, self._seed(seed, index, column)), index

    def _seed(self, seed: Seed, index: int | Indices, column: str | None = None) -> int:
        if seed is not None:
            return self._training.checked_seed(seed)
        seeds = self._training.seeds_of(index, column)
        if len(seeds) == 1:
            return seeds[0]
        if self._rng is None:
            return random.choice(seeds)
        return seeds[int(self._rng.integers(len(seeds)))]
