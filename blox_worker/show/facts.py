"""What is known of one architecture: by arithmetic, from a release, or from the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from blox_core.complexity import params_and_flops
from blox_core.recipe import Recipe, preset
from blox_core.result.trainer_revision import TORCH
from blox_core.space import Architecture
from blox_store.dataset.files.whole_release import (
    Origins,
    costs_of,
    open_release,
    origins_of,
    recipe_of,
)
from blox_store.store import JobState, ResultBlock, Run, Selection, Store

_UNSTABLE: Final = "unstable"
_WITH_RESULTS = (JobState.SUCCEEDED.value, JobState.DIVERGED.value)


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of the architecture: of which seed or run, and how it ended.

    Accuracies are in percent, the best validation top-1 and the test top-1; None where a training
    diverged before there was one.
    """

    name: str
    val_top1: float | None
    test_top1: float | None
    train_time_s: float
    is_simulated: bool


@dataclass(frozen=True, kw_only=True)
class ArchitectureFacts:
    """Params and FLOPs in the shape of a recipe, trainings, and latencies by device.

    `source` names what was looked into for trainings, None if nothing was. `doubts` say of a
    device's latency that it is unstable or predicted.
    """

    architecture: Architecture
    params: int
    flops: int
    shape: str
    source: str | None = None
    trainings: tuple[Training, ...] = ()
    latencies_ms: Mapping[str, float] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)


def computed_facts(architecture: Architecture, recipe: Recipe) -> ArchitectureFacts:
    """Return what follows from the architecture and the numbers of a recipe."""
    params, flops = params_and_flops(recipe.shape)
    return ArchitectureFacts(
        architecture=architecture,
        params=int(params[architecture.index]),
        flops=int(flops[architecture.index]),
        shape=_shape(recipe),
    )


def facts_in_release(architecture: Architecture, folder: Path) -> ArchitectureFacts:
    """Return what a release has; raise what opening and reading it raises."""
    release, index = open_release(folder), architecture.index
    recipe = recipe_of(release, folder)
    params, flops = costs_of(release, recipe, np.array([index]))
    trainings = [
        Training(
            name=f"seed {seed}",
            val_top1=_number(release.val_acc(index, seed=seed)),
            test_top1=_number(release.test_acc(index, seed=seed)),
            train_time_s=_number(release.train_time(index, seed=seed)) or 0.0,
            is_simulated=release.is_simulated,
        )
        for seed in release.seeds
        if index in release
    ]
    origins = origins_of(release, folder)
    records: Any = release.latency(index, return_dict=True) if release.devices else None
    latencies = {
        device: float(record["latency"])
        for device, record in (records or {}).items()
        if record is not None
    }
    return ArchitectureFacts(
        architecture=architecture,
        params=int(params[0]),
        flops=int(flops[0]),
        shape=_shape(recipe),
        source=str(folder),
        trainings=tuple(trainings),
        latencies_ms=latencies,
        doubts={name: doubt for name in latencies if (doubt := _doubt(origins[name], index))},
    )


def facts_in_store(architecture: Architecture, store: Store) -> ArchitectureFacts:
    """Return what a store has; params and FLOPs are those of its latest run with a result."""
    index = architecture.index
    recipe, trainings = preset("cifar100"), []
    here = range(index, index + 1)
    with store.snapshot() as snapshot:
        for run in snapshot.runs():
            selection = Selection(run=run, statuses=_WITH_RESULTS, indices=here)
            for block in snapshot.results(selection):
                recipe = run.training_recipe
                trainings.append(_training(run, block))
        latencies = snapshot.latencies_of(index)
        devices = snapshot.measured_devices(here)
    return replace(
        computed_facts(architecture, recipe),
        source=store.url,
        trainings=tuple(trainings),
        latencies_ms=latencies,
        doubts={device.name: _UNSTABLE for device in devices if device.unstable},
    )


def _doubt(origins: Origins, index: int) -> str:
    if index in origins.unstable:
        return _UNSTABLE
    if origins.predicted is None:
        return "measured or predicted"
    return "predicted" if index in origins.predicted else ""


def _shape(recipe: Recipe) -> str:
    size = f"{recipe.resolution} x {recipe.resolution} pixels"
    channels = f"{recipe.stem_channels} channels in stage 1"
    return f"{recipe.dataset}: {recipe.classes} classes, {channels}, {size}"


def _training(run: Run, block: ResultBlock) -> Training:
    best = int(block.curves["val_top1"].max(initial=0))
    return Training(
        name=str(run),
        val_top1=_percent(best, run, "val") if block.epochs[0] else None,
        test_top1=_percent(int(block.test_top1[0]), run, "test") if block.has_test[0] else None,
        train_time_s=float(block.train_time_s[0]),
        is_simulated=run.trainer != TORCH,
    )


def _percent(count: int, run: Run, split: str) -> float:
    return count / run.images(split) * 100


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
