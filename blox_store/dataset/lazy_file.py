"""A release file that is opened at once and decoded when something in it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from blox_core.home import expanded
from blox_core.space import SPACE_SIZE, indices_of_digests
from blox_store.dataset.arch_argument import Indices
from blox_store.errors import NotInRelease, ReleaseCorrupt, ReleaseMismatch
from blox_store.release.columns import Column, HashColumn, IntColumn, NumberColumn
from blox_store.release.reader import read_header, read_table
from blox_store.release.table import Table
from blox_store.release_folder.manifest import sha256_of

ABSENT: Final = -1
HASH: Final = "model_hash"
PICKLE_SUFFIX: Final = ".pickle"
_SHOWN = 5


def table_of(path: Path) -> Table:
    """Read a release file; one that is a pickle only if its name says so.

    Whoever gives such a name, or lists the format, has asked for it; a header alone has not.
    """
    return read_table(path, allow_pickle=path.suffix == PICKLE_SUFFIX)


def signed(numbers: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.integer[Any]]:
    """Return whole numbers as int64, for differences of unsigned ones wrap round.

    Those of which one is too large for it stay as they are.
    """
    if numbers.size and numbers.max() > np.iinfo(np.int64).max:
        return numbers
    return numbers.astype(np.int64)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file from one that has taken its place, None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None  # the reader says why
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class LazyFile:
    """One file of a release: `path` and `header` are there at once, the rows upon first need.

    Raises what the reader raises, ReleaseMismatch if another file has taken its place since, and
    ReleaseCorrupt if a model hash in the file is one that no architecture has, or stands in two rows.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._open(expanded(path).absolute())  # the process may change its directory

    def _open(self, path: Path, sha256: str | None = None) -> None:
        self.path = path
        self._opened = _stamp(path)
        self._sha256 = sha256
        self._is_of_a_pickle = sha256 is not None
        self.header: Mapping[str, Any] = read_header(path)
        self._by_index: dict[str | tuple[str, bool], list[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return where the file lies and the digest of what it holds, however much is decoded."""
        self._check_unchanged()
        if self._sha256 is None:
            self._sha256 = sha256_of(self.path)
        return {"path": self.path, "sha256": self._sha256}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the file again; what it holds is compared once it is decoded."""
        if "sha256" in state:
            self._open(state["path"], state["sha256"])
        else:  # an earlier version's, with all that was decoded
            vars(self).update(state, _sha256=None, _is_of_a_pickle=False)

    def _check_unchanged(self) -> None:
        if _stamp(self.path) != self._opened:
            raise ReleaseMismatch(
                f"{self.path} is not the file any more that was opened: open the release again, or, "
                "to query it alone, decode all of it at once by load()"
            )

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The columns by name, `model_hash` first."""
        self._check_unchanged()
        if self._is_of_a_pickle and sha256_of(self.path) != self._sha256:
            raise ReleaseMismatch(
                f"{self.path} does not hold what it held where the data set was pickled: it must be "
                "the same release, whose files 'python -m blox_store.verify' compares"
            )
        return table_of(self.path).columns

    @cached_property
    def indices(self) -> NDArray[np.int32]:
        """The arch index of each row, in the file's order."""
        hashes: HashColumn = self.column(HASH, HashColumn)
        indices = indices_of_digests(hashes.digests)
        if (indices < 0).any():
            row = int(np.argmax(indices < 0))
            raise self.corrupt(
                f"row {row} has model hash {hashes.value(row)}, which no architecture has"
            )
        return indices

    @cached_property
    def row_of(self) -> NDArray[np.int32]:
        """The row of each of the 91,125 architectures, ABSENT where the file has none."""
        rows = np.full(SPACE_SIZE, ABSENT, np.int32)
        rows[self.indices] = np.arange(len(self.indices), dtype=np.int32)
        twice = rows[self.indices] != np.arange(len(self.indices))
        if twice.any():
            row = int(np.argmax(twice))
            text = self.column(HASH, HashColumn).value(row)
            raise self.corrupt(f"model hash {text} stands in row {row} and in another one")
        self.check_architectures(rows)
        return rows

    @property
    def decoded_rows(self) -> int | None:
        """The number of rows, None while the file has not been decoded."""
        return len(self.columns[HASH]) if "columns" in vars(self) else None

    def load(self) -> None:
        """Decode the file now, raising whatever is wrong with it."""
        self.rows(0)

    def check_architectures(self, row_of: NDArray[np.int32]) -> None:
        """Compare the architectures with those of other files; any set is right by itself."""

    def has(self, index: int | Indices) -> bool:
        """Return whether the file has an architecture, or all of many."""
        return bool(np.all(self.row_of[index] != ABSENT))

    @overload
    def rows(self, index: int) -> int | None: ...
    @overload
    def rows(self, index: Indices) -> Indices: ...
    def rows(self, index: int | Indices) -> int | Indices | None:
        """Return the row of an arch index, None where there is none, or the rows of many.

        Raises NotInRelease if any of many is absent: no number in an array could say so.
        """
        if isinstance(index, int):
            row = int(self.row_of[index])
            return None if row == ABSENT else row
        rows: Indices = self.row_of[index].astype(np.intp)
        absent = index[rows == ABSENT]
        if len(absent):
            shown = ", ".join(map(str, absent[:_SHOWN].tolist()))
            more = ", …" if len(absent) > _SHOWN else ""
            raise NotInRelease(
                f"{len(absent)} of {len(index)} architectures are not in {self.path.name} "
                f"({shown}{more}): the property `indices` of the data set has those that are there"
            )
        return rows

    def integer(self, name: str, index: int | Indices) -> int | NDArray[np.integer[Any]] | None:
        """Return the value of an integer column, None where absent; of many an array (n,)."""
        if isinstance(index, int):
            answer: int | None = self.by_index(name, IntColumn)[index]
            return answer
        column: IntColumn = self.column(name, IntColumn)
        return signed(column.data[self.rows(index)])

    def number(self, name: str, index: int | Indices) -> float | NDArray[np.float64] | None:
        """Return the value of a column of doubles, None where absent; of many an array (n,)."""
        if isinstance(index, int):
            answer: float | None = self.by_index(name, NumberColumn)[index]
            return answer
        column: NumberColumn = self.column(name, NumberColumn)
        rows = self.rows(index)
        return column.apply(lambda held: held[rows]).floats()

    def by_index(self, name: str, kind: type) -> list[Any]:
        """Return the plain value of a column for each of the 91,125 arch indices, None where absent.

        The list is made once, in 10 ms; an element of it costs 0.03 µs, one of an array 1 µs.
        """
        if name not in self._by_index:
            self._by_index[name] = self.scattered(self.column(name, kind))
        return self._by_index[name]

    def scattered(self, column: Column) -> list[Any]:
        """Return the plain value of each arch index in a column of this file, None where absent."""
        values = [*column.values(), None]
        return [values[row] for row in self.row_of.tolist()]  # ABSENT is -1, the None at the end

    def record(self, index: int) -> dict[str, Any] | None:
        """Return column → plain value of an arch index without its hash, None where absent."""
        row = self.rows(index)
        if row is None:
            return None
        return {name: held.value(row) for name, held in self.columns.items() if name != HASH}

    def column(self, name: str, kind: type) -> Any:
        """Return a column; raise ReleaseCorrupt if it is missing or not of that kind."""
        column = self.columns.get(name)
        if not isinstance(column, kind):
            got = "no such column" if column is None else type(column).__name__
            raise self.corrupt(f"column {name}: {got}, {kind.__name__} is needed")
        return column

    def corrupt(self, message: str) -> ReleaseCorrupt:
        """Return an error about this file."""
        return ReleaseCorrupt(message, path=str(self.path))
