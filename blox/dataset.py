"""The data set classes and `from_folder`, under their published names."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from blox_store import dataset as store
from blox_store.dataset import (
    BenchmarkingDataset,
    Budget,
    Dataset,
    Devices,
    EnvInfoDataset,
    Formats,
    Seeds,
    StaticInfoDataset,
)

__all__ = [
    "BenchmarkingDataset",
    "Budget",
    "Dataset",
    "EnvInfoDataset",
    "StaticInfoDataset",
    "from_folder",
    "preferred_ext",
]

# The formats that `from_folder` reads where it is not told otherwise, the preferred one first.
# It is looked up at every call, so that a program may set it.
preferred_ext: str | Sequence[str] = [f".{name}" for name in store.default_formats()]


def from_folder(
    folder: str | PathLike[str],
    extended: bool = False,
    seeds: Seeds = None,
    devices: Devices = None,
    include_static_info: bool = False,
    include_env_info: bool = False,
    validate_data: bool = True,
    preferred_ext: Formats | None = None,
    *,
    rng: np.random.Generator | int | None = None,
) -> Dataset:
    """Open the release in a folder; see `blox_store.dataset.from_folder`.

    Without `preferred_ext` the module's `blox.dataset.preferred_ext` says which formats to read.
    """
    return store.from_folder(
        folder,
        extended,
        seeds,
        devices,
        include_static_info,
        include_env_info,
        validate_data,
        globals()["preferred_ext"] if preferred_ext is None else preferred_ext,
        rng=rng,
    )
