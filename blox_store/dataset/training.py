"""The training results of a release: base files, and ext files where they are loaded, by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from blox_store.dataset.arch_argument import Indices, is_whole
from blox_store.dataset.file_group import OWN_HEADER_KEYS, FileGroup, Path, check_same_headers
from blox_store.dataset.training_file import SameArchitectures, TrainingFile
from blox_store.errors import QueryError, ReleaseMismatch
from blox_store.release.names import SIMULATED_FILE

EXT: Final = "ext"


class TrainingPart(FileGroup[TrainingFile]):
    """The base files or the ext files of all seeds."""

    dataset_type = "training"
    named_by: ClassVar[str | None] = "seed"


class TrainingResults:
    """All training files of a release; `seeds` are in the order of the base files given.

    All have to hold the same architectures (`validate_data`), which is seen when the second file is
    decoded. Raises ReleaseMismatch if some seeds have an ext file and others do not.
    """

    def __init__(self, paths: Sequence[Path], validate_data: bool) -> None:
        architectures = SameArchitectures() if validate_data else None
        files = [TrainingFile(path, architectures) for path in paths]
        ext = [file for file in files if file.header.get("part") == EXT]
        base = [file for file in files if file not in ext]
        self.base = TrainingPart(base, validate_data, alike=validate_data)
        self.ext = TrainingPart(ext, validate_data, alike=validate_data) if ext else None
        self.seeds: list[int] = list(self.base.files)
        self._same_architectures = validate_data
        self.is_simulated = any((file.path.parent / SIMULATED_FILE).exists() for file in files)
        self._part_with = dict.fromkeys(self.base.columns, self.base)
        if self.ext is not None:
            self._check_ext(self.ext, validate_data)
            self._part_with = dict.fromkeys(self.ext.columns, self.ext) | self._part_with

    def _check_ext(self, ext: TrainingPart, validate_data: bool) -> None:
        if ext.files.keys() != self.base.files.keys():
            raise ReleaseMismatch(
                f"base files of the seeds {self.seeds} and ext files of the seeds "
                f"{list(ext.files)} were given: each seed needs both, or no ext file at all"
            )
        if validate_data:
            check_same_headers([self.base.first, ext.first], OWN_HEADER_KEYS | {"part", "columns"})

    @property
    def columns(self) -> list[str]:
        """The columns of the base files and then those of the ext files, `model_hash` once."""
        return self.base.columns + (self.ext.columns[1:] if self.ext is not None else [])

    def file_with(self, column: str, seed: int) -> TrainingFile:
        """Return the file of a seed that holds a column; raise QueryError if none is loaded."""
        part = self._part_with.get(column)
        if part is None:
            raise QueryError(
                f"{column} is not among the loaded columns ({', '.join(self.columns[1:])}): "
                "load the ext files too, from_folder(folder, extended=True)"
            )
        return part.files[seed]

    def seeds_of(self, index: int | Indices, column: str | None = None) -> list[int]:
        """Return the seeds that have a column of one architecture or all of many, or else all seeds.

        Files are decoded for it only where they need not hold the same architectures.
        """
        if self._same_architectures or len(self.seeds) == 1:
            return self.seeds
        part = self.base if column is None else self._part_with.get(column, self.base)
        having = [seed for seed in self.seeds if part.files[seed].has(index)]
        return having or self.seeds

    def checked_seed(self, seed: Any) -> int:
        """Return a seed as an int; raise QueryError if it is not loaded."""
        if not is_whole(seed) or seed not in self.base.files:
            raise QueryError(f"seed {seed!r}: the loaded seeds are {self.seeds}")
        return int(seed)

    def record(self, index: int, seed: int) -> dict[str, Any] | None:
        """Return column → plain value of an architecture, None where it is absent."""
        record = self.base.files[seed].record(index)
        if record is None or self.ext is None:
            return record
        extended = self.ext.files[seed].record(index)
        return record | (extended or dict.fromkeys(self.ext.columns[1:]))
