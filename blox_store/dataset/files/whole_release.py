"""A release with all that its folder has of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blox_core.complexity import params_and_flops
from blox_core.recipe import Recipe, preset
from blox_core.space.index_spans import indices_of
from blox_store.dataset import Dataset, default_formats, from_folder
from blox_store.release.names import scan_folder
from blox_store.release_folder.manifest import read_manifest

Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Origins:
    """Of a device's latencies, the arch indices of unstable and of predicted ones.

    `predicted` is None if some are and nobody can tell which.
    """

    unstable: Indices
    predicted: Indices | None


def open_release(folder: Path) -> Dataset:
    """Open the base files, the latencies, and params and FLOPs where they are there.

    Raises what `from_folder` raises; pickles are not read.
    """
    kinds = {file.kind for file in scan_folder(folder) if file.format in default_formats()}
    return from_folder(folder, include_static_info="info" in kinds)


def recipe_of(release: Dataset, folder: Path) -> Recipe:
    """Return how a release was trained: as its manifest says, else by the preset of its data set.

    Raises RecipeError where neither is a recipe.
    """
    manifest = read_manifest(folder)
    return (
        preset(release.dataset) if manifest is None else Recipe.from_dict(manifest.trainings.recipe)
    )


def origins_of(release: Dataset, folder: Path) -> dict[str, Origins]:
    """Return by device where the latencies of a release are from, as its manifest and headers say."""
    manifest = read_manifest(folder)
    entries = {} if manifest is None else {entry.device: entry for entry in manifest.devices}
    files = {} if release.bench_info is None else release.bench_info.files
    found = {}
    for device, file in files.items():
        entry = entries.get(device)
        predicted = indices_of("" if entry is None else entry.predicted)
        found[device] = Origins(
            unstable=indices_of("" if entry is None else entry.unstable),
            predicted=None if "predicted" in file.header and not predicted.size else predicted,
        )
    return found


def costs_of(
    release: Dataset, recipe: Recipe, indices: Indices
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Return params and FLOPs (n,) of architectures: those of the release, else computed ones."""
    static = release.static_info
    if static is not None and static.first.has(indices):
        return static.params(indices), static.flops(indices)  # type: ignore[return-value]
    params, flops = params_and_flops(recipe.shape)
    return params[indices], flops[indices]
