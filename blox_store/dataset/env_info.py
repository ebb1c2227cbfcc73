"""The machine and the software that trained an architecture, by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from blox_store.dataset.arch_argument import Arch, resolve_one
from blox_store.dataset.file_group import FileGroup, Paths, path_list
from blox_store.dataset.lazy_file import LazyFile
from blox_store.errors import QueryError, ReleaseMismatch


class EnvInfoDataset(FileGroup[LazyFile]):
    """The environments of one or more files, each of one seed."""

    dataset_type = "env"
    named_by: ClassVar[str | None] = "seed"

    def __init__(self, dataset_files: Paths, validate_data: bool = True) -> None:
        super().__init__(map(LazyFile, path_list(dataset_files)), validate_data)

    @property
    def seeds(self) -> list[int]:
        """The seeds, in the order of the files given."""
        return list(self.files)

    def check_seeds(self, seeds: Sequence[int]) -> None:
        """Raise ReleaseMismatch unless there is a file for each of these seeds."""
        if not set(seeds) <= set(self.seeds):
            raise ReleaseMismatch(
                f"trainings of the seeds {list(seeds)} and environments of the seeds {self.seeds} "
                "were given: each seed needs both, or no environment file at all"
            )

    def env(self, arch: Arch, seed: int) -> dict[str, str] | None:
        """Return column → text of a training, None for an absent architecture.

        Raises QueryError for a seed that is not loaded.
        """
        if seed not in self.files:
            raise QueryError(f"seed {seed!r}: environments of the seeds {self.seeds} are loaded")
        return self.files[seed].record(resolve_one(arch))
