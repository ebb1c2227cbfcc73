"""Files of one kind, keyed by what tells them apart: a seed, a device, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from os import PathLike
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import ArchitectureError, UnknownArchitecture
from blox_core.space import Architecture
from blox_store.dataset.arch_argument import Arch, resolve_one
from blox_store.dataset.lazy_file import LazyFile
from blox_store.errors import NotInRelease, QueryError, ReleaseMismatch

Path: TypeAlias = str | PathLike[str]
Paths: TypeAlias = Path | Sequence[Path]

# `version` and `column_types` follow from the values in a file, `format` from how it is written.
OWN_HEADER_KEYS: Final = frozenset(
    {"version", "column_types", "format", "seed", "device", "predicted"}
)

# Column → plain value, without the model hash.
Record: TypeAlias = dict[str, Any]

F = TypeVar("F", bound=LazyFile)


def path_list(paths: Paths) -> list[Path]:
    """Return one path or several as a list."""
    return [paths] if isinstance(paths, (str, PathLike)) else list(paths)


def listed(record: Record | None) -> list[Any] | None:
    """Return the values of a record as a list."""
    return None if record is None else list(record.values())


def check_same_headers(files: Sequence[LazyFile], apart_from: frozenset[str]) -> None:
    """Raise ReleaseMismatch unless the headers are equal apart from some keys."""
    for file in files[1:]:
        first = files[0]
        for key in sorted((first.header.keys() | file.header.keys()) - apart_from):
            if first.header.get(key) != file.header.get(key):
                raise ReleaseMismatch(
                    f"{file.path} has {key} {file.header.get(key)!r} and {first.path} "
                    f"{first.header.get(key)!r}: they are not of one release "
                    "(validate_data=False reads them all the same)"
                )


class FileGroup(Generic[F]):
    """The files of one kind, in the order given; one file is opened for each key.

    Its architectures are those of the first file, followed by those that others have besides;
    `alike` files have the same ones, so that only one has to be decoded.
    Headers are compared when it is made (`validate_data`). Raises ReleaseMismatch for a file of
    another kind, for two with the same key and for different headers.
    """

    dataset_type: ClassVar[str]
    named_by: ClassVar[str | None] = None
    _alike = True  # as in pickles of earlier versions

    def __init__(
        self, files: Iterable[F], validate_data: bool = True, *, alike: bool = False
    ) -> None:
        self.files: dict[Any, F] = {}
        self._alike = alike
        for file in files:
            self._add(file)
        if not self.files:
            raise QueryError(f"no {self.dataset_type} file given: one or more paths are needed")
        if validate_data:
            check_same_headers(list(self.files.values()), OWN_HEADER_KEYS)

    def _add(self, file: F) -> None:
        got = file.header.get("dataset_type")
        if got != self.dataset_type:
            raise ReleaseMismatch(
                f"{file.path} is of type {got!r}: one of type {self.dataset_type} is needed here"
            )
        key = None if self.named_by is None else file.header.get(self.named_by)
        if key in self.files:
            raise ReleaseMismatch(
                f"{file.path} and {self.files[key].path} are both the {self.dataset_type} file"
                f"{'' if key is None else f' of {self.named_by} {key}'}: give one of them"
            )
        self.files[key] = file

    @property
    def first(self) -> F:
        """The file that was given first."""
        return next(iter(self.files.values()))

    @property
    def header(self) -> dict[str, Any]:
        """The header of the first file, a copy."""
        return deepcopy(dict(self.first.header))

    @property
    def version(self) -> int:
        """The version of the release format."""
        return int(self.first.header["version"])

    @property
    def columns(self) -> list[str]:
        """The names of the columns, `model_hash` first."""
        return list(self.first.header["columns"])

    @property
    def search_space(self) -> list[Any]:
        """The number of choices at each position of an arch vector."""
        return list(self.header["search_space"]["shape"])

    @property
    def ops(self) -> list[str]:
        """The names of the ops, by the numbers in arch vectors."""
        return list(self.first.header["search_space"]["ops"])

    @property
    def nodes(self) -> int:
        """The number of nodes in a cell."""
        return int(self.first.header["search_space"]["nodes"])

    @property
    def stages(self) -> int:
        """The number of stages."""
        return int(self.first.header["search_space"]["stages"])

    @property
    def indices(self) -> NDArray[np.int64]:
        """The arch indices of all architectures, in the order of the rows."""
        found = [file.indices for file in self._differing]
        if len(found) == 1:
            return found[0].astype(np.int64)
        joined = np.concatenate(found)
        _, first_at = np.unique(joined, return_index=True)
        return joined[np.sort(first_at)].astype(np.int64)

    @property
    def _differing(self) -> list[F]:
        """The files that may hold different architectures."""
        return [self.first] if self._alike else list(self.files.values())

    def load(self) -> None:
        """Decode every file now."""
        for file in self.files.values():
            file.load()

    def rows(self, index: int) -> list[list[Any] | None]:
        """Return for each file the values of an arch index, None where it is absent."""
        return [listed(file.record(index)) for file in self.files.values()]

    def __contains__(self, arch: Arch) -> bool:
        """Whether a file has one architecture; what denotes none is in no file."""
        try:
            index = resolve_one(arch)
            return any(file.has(index) for file in self._differing)
        except (ArchitectureError, UnknownArchitecture):
            return False

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[list[Any]]:
        return (self[index] for index in self.indices)

    def __getitem__(self, arch: Arch) -> list[Any]:
        """Return `[model_hash, row of each file]`; raise NotInRelease for an absent one."""
        architecture = Architecture(resolve_one(arch))
        rows = self.rows(architecture.index)
        if not any(rows):
            raise NotInRelease(
                f"architecture {architecture.model_hash} (arch index {architecture.index}) is in "
                f"no {self.dataset_type} file that is loaded"
            )
        return [architecture.model_hash, rows]
