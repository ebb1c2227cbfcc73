"""What a report shows of a release, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.recipe import Recipe
from blox_store.dataset import Dataset
from blox_store.dataset.benchmarking import LATENCY
from blox_store.dataset.files.whole_release import (
    Origins,
    costs_of,
    open_release,
    origins_of,
    recipe_of,
)
from blox_store.dataset.lazy_file import ABSENT
from blox_store.report.statistics import Doubles, mean_of_seeds

# Of the accuracies of all trainings at an epoch; the fan of learning curves.
QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_SNAPSHOTS: Final = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportFigures:
    """n architectures by arch index; accuracies in percent, NaN where a training diverged.

    `test_top1`, `val_top1` (the best one) and `train_time_s` are (seeds, n); `curves` (7, epochs)
    has the QUANTILES of validation top-1 over all trainings; `snapshots` (k, n) has it at the
    epochs `snapshot_epochs`, the mean of the seeds. Latencies (n,) are NaN where there is none;
    `predicted` says of a device whether those that are there are: `predicted`, or `partly
    predicted`.
    """

    dataset: str
    epochs: int
    recipe: Recipe
    seeds: tuple[int, ...]
    is_simulated: bool
    indices: NDArray[np.int64]
    params: NDArray[np.integer[Any]]
    flops: NDArray[np.integer[Any]]
    test_top1: Doubles
    val_top1: Doubles
    train_time_s: Doubles
    latencies_ms: Mapping[str, Doubles]
    predicted: Mapping[str, str]
    curves: Doubles
    snapshot_epochs: tuple[int, ...]
    snapshots: Doubles

    @cached_property
    def accuracy(self) -> Doubles:
        """Test top-1 (n,): the mean of the seeds."""
        return mean_of_seeds(self.test_top1)


def report_figures(folder: Path) -> ReportFigures:
    """Return the figures of a release; raise what opening and reading it raises."""
    release = open_release(folder)
    recipe, indices = recipe_of(release, folder), np.sort(release.indices)
    params, flops = costs_of(release, recipe, indices)
    curves, snapshots = _curves(release, indices)
    latencies = {device: _latencies(release, device, indices) for device in release.devices}
    origins = origins_of(release, folder)
    return ReportFigures(
        dataset=release.dataset,
        epochs=release.epochs,
        recipe=recipe,
        seeds=tuple(release.seeds),
        is_simulated=release.is_simulated,
        indices=indices,
        params=params,
        flops=flops,
        test_top1=_of_seeds(release, "test_acc", indices),
        val_top1=_of_seeds(release, "val_acc", indices),
        train_time_s=_of_seeds(release, "train_time", indices),
        latencies_ms=latencies,
        predicted={
            device: told
            for device, values in latencies.items()
            if (told := _predicted(origins[device], indices[~np.isnan(values)]))
        },
        curves=curves,
        snapshot_epochs=tuple(snapshots),
        snapshots=np.array(list(snapshots.values())),
    )


def _of_seeds(release: Dataset, query: str, indices: NDArray[np.int64], **options: Any) -> Doubles:
    ask = getattr(release, query)
    return np.array([ask(indices, seed=seed, **options) for seed in release.seeds], np.float64)


def _latencies(release: Dataset, device: str, indices: NDArray[np.int64]) -> Doubles:
    assert release.bench_info is not None, "it has a device"
    there = release.bench_info.files[device].row_of[indices] != ABSENT
    latencies = np.full(len(indices), np.nan)
    latencies[there] = release.bench_info.files[device].number(LATENCY, indices[there])
    return latencies


def _predicted(origins: Origins, shown: NDArray[np.int64]) -> str:
    """Return whether the latencies of these architectures are predicted, in a word."""
    if origins.predicted is None:
        return "partly predicted"
    predicted = np.isin(shown, origins.predicted)
    if predicted.any():
        return "predicted" if predicted.all() else "partly predicted"
    return ""


def _curves(release: Dataset, indices: NDArray[np.int64]) -> tuple[Doubles, Mapping[int, Doubles]]:
    """Return the quantiles at every epoch, and the accuracies at a few, epoch by epoch.

    All curves at once would be 146 MB a seed.
    """
    wanted = np.unique(np.rint(np.geomspace(1, release.epochs, _SNAPSHOTS)).astype(int)).tolist()
    quantiles = np.full((len(QUANTILES), release.epochs), np.nan)
    snapshots = {}
    for epoch in range(1, release.epochs + 1):
        values = _of_seeds(release, "val_acc", indices, epoch=epoch, best=False)
        known = values[~np.isnan(values)]
        if len(known):
            quantiles[:, epoch - 1] = np.quantile(known, QUANTILES)
        if epoch in wanted:
            snapshots[epoch] = mean_of_seeds(values)
    return quantiles, snapshots
