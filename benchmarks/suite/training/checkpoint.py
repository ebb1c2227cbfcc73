"""Part checkpoint: what a training loses by writing one beside it, as a share of an epoch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.suite.report.row import Row
from benchmarks.suite.training.effort import Effort, published
from blox_core.checkpoint.writer import CheckpointWriter
from blox_core.data.noise import noise
from blox_core.recipe import preset
from blox_core.result.epoch_report import EpochReport
from blox_core.space import Architecture
from blox_core.training import train

SEED: Final = 1
ARCHITECTURE: Final = Architecture(18639)  # the quickest, of whose epoch it is the largest share
# A CPU takes minutes for an epoch, and a checkpoint costs the same whatever the epoch's length.
IMAGES_ON_CPU: Final = 1_024
TRAIN_TO_VAL: Final = 9
MOST_SHARE: Final = 2  # percent
WARM_UP_EPOCHS: Final = 3  # one before the first lap, and a lap of each kind
MS: Final = 1_000.0


class Laps:
    """Takes the time of epochs in turn: beside a checkpoint that is written, and alone."""

    def __init__(self, path: Path, writer: CheckpointWriter, runs: int) -> None:
        self._path = path
        self._writer = writer
        self._runs = runs
        self._begun_at = time.perf_counter()
        self.seconds: list[float] = []
        self.at_once: list[float] = []

    def __call__(self, report: EpochReport) -> None:
        """End a lap and begin the next; after the last one write in the training's thread."""
        self.seconds.append(time.perf_counter() - self._begun_at)
        self._writer.stop()  # what outlasts an epoch is no part of the next one
        self._writer.check()
        if report.epoch == report.epochs:
            self.at_once = [self._save(report) for _ in range(self._runs)]
            return
        self._begun_at = time.perf_counter()
        if report.epoch % 2:
            self._writer.offer(report.checkpoint)

    def _save(self, report: EpochReport) -> float:
        start = time.perf_counter()
        report.checkpoint().save(self._path)
        return time.perf_counter() - start


def checkpoint(effort: Effort) -> list[Row]:
    """Train, with a checkpoint after every other epoch."""
    images = effort.images if effort.on_cuda else min(effort.images, IMAGES_ON_CPU)
    recipe = published(
        train_images=images,
        val_images=max(images // TRAIN_TO_VAL, 1),
        test_images=1,
        epochs=WARM_UP_EPOCHS + 2 * effort.runs,
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.checkpoint"
        with CheckpointWriter(path) as writer:
            laps = Laps(path, writer, effort.runs)
            data = noise(recipe)
            train(ARCHITECTURE, recipe, SEED, device=effort.device, data=data, on_epoch=laps)
    beside, alone = laps.seconds[WARM_UP_EPOCHS::2], laps.seconds[WARM_UP_EPOCHS + 1 :: 2]
    return rows(beside, alone, laps.at_once, images)


def rows(
    beside: Sequence[float], alone: Sequence[float], at_once: Sequence[float], images: int
) -> list[Row]:
    """Return the rows of epochs of so many images; shares are of a whole one of the recipe."""
    whole_images = preset("cifar100").train_images
    share = 100 / (median(alone) * whole_images / images)
    lost = [one - other for one, other in zip(beside, alone, strict=True)]

    def scaled(seconds: Sequence[float], factor: float) -> list[float]:
        return [value * factor for value in seconds]

    return [
        Row(f"epoch of {images:,} images beside a checkpoint", scaled(beside, MS), "ms"),
        Row(f"epoch of {images:,} images alone", scaled(alone, MS), "ms"),
        Row("lost to a checkpoint", scaled(lost, MS), "ms"),
        Row("written at once instead", scaled(at_once, MS), "ms"),
        Row(f"lost, of {whole_images:,} images", scaled(lost, share), "%", at_most=MOST_SHARE),
        Row(f"written at once, of {whole_images:,} images", scaled(at_once, share), "%"),
    ]
