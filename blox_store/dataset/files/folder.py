"""Opening the release in a folder."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from blox_store.dataset.benchmarking import Devices
from blox_store.dataset.dataset import Dataset
from blox_store.dataset.files.chosen_files import Formats, ReleaseFolder, Seeds
from blox_store.release.names import Kind
from blox_store.release_folder.contents import Content


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
    """Open the release in a folder.

    `seeds`: one, several, or None for all. `devices`: one name, several, None for all that are
    there, or False for none. `preferred_ext`: the formats to read, the preferred one first, with or
    without the dot; if None, `.blox`, `.parquet` where pyarrow is installed, and `.csv`.
    `validate_data` and `rng` as of `Dataset`.

    Raises ReleaseMissing for whatever was asked for and is not there, QueryError for an argument
    that is not allowed, ReleaseMismatch for a file whose header contradicts its name, and what
    `Dataset` raises.
    """
    release = ReleaseFolder(Path(folder), preferred_ext)
    kinds: list[Kind] = ["base"]
    kinds += ["ext"] if extended else []
    kinds += ["env"] if include_env_info else []
    wanted: list[Content] = [(kind, seed) for kind in kinds for seed in release.seeds(seeds)]
    wanted += [("bench", device) for device in release.devices(devices)]
    wanted += [("info", None)] if include_static_info else []
    paths = release.paths(wanted, check_names=validate_data)

    def of(*kinds: Kind) -> list[Path]:
        return [path for (kind, _), path in paths.items() if kind in kinds]

    return Dataset(of("base", "ext"), of("bench"), of("info"), of("env"), validate_data, rng=rng)
