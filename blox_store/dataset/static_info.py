"""What is known of an architecture without training it: parameters, FLOPs, canonical arch vector."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.dataset.arch_argument import Arch, resolve
from blox_store.dataset.file_group import FileGroup, Paths, path_list
from blox_store.dataset.lazy_file import LazyFile
from blox_store.release.columns import ArchColumn


class StaticInfoDataset(FileGroup[LazyFile]):
    """The static information of one file."""

    dataset_type = "static"

    def __init__(self, dataset_file: Paths) -> None:
        super().__init__(map(LazyFile, path_list(dataset_file)))

    def params(self, arch: Arch) -> int | NDArray[np.integer[Any]] | None:
        """Return the number of parameters, None for an absent architecture; of many an array."""
        return self.first.integer("params", resolve(arch))

    def flops(self, arch: Arch) -> int | NDArray[np.integer[Any]] | None:
        """Return the FLOPs of one image, None where absent; of many an array.

        They are multiply-accumulate operations, as ptflops counts them.
        """
        return self.first.integer("flops", resolve(arch))

    def arch_vec(self, arch: Arch) -> list[Any] | None:
        """Return the canonical arch vector, None for an absent architecture; of many a list."""
        index, file = resolve(arch), self.first
        column: ArchColumn = file.column("arch_vec", ArchColumn)
        if isinstance(index, int):
            row = file.rows(index)
            return None if row is None else list(column.value(row))
        return column.take(file.rows(index)).values()
