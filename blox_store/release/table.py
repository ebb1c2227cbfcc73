"""A table: the header and the columns of one release file, whatever the format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.space import SPACE_SIZE, indices_of_digests
from blox_store.errors import NotEncodable, ValueRefused
from blox_store.release.columns import Column, HashColumn
from blox_store.release.columns.joining import joined

MAX_ROWS: Final = SPACE_SIZE  # a file has one row per architecture
# Bounds the Python values alive while a big table is read or written: 8 MB of training curves.
ROWS_AT_ONCE: Final = 256

_FILE_KEYS = ("format", "column_types")


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One release file in memory.

    `header` is the mapping of `docs/reference/release-format.md` without `format` and
    `column_types`, which belong to a file; `columns` stand in the header's order, `model_hash`
    first.
    """

    header: Mapping[str, Any]
    columns: Mapping[str, Column]

    @classmethod
    def of_file(cls, header: Mapping[str, Any], columns: Mapping[str, Column]) -> Table:
        """Return the table of a file with this full header."""
        kept = {key: value for key, value in header.items() if key not in _FILE_KEYS}
        return cls(header=kept, columns=columns)

    def __len__(self) -> int:
        return len(self.columns["model_hash"])

    @property
    def digests(self) -> NDArray[np.uint8]:
        """The model hash of each row, uint8 (rows, 16)."""
        column = self.columns["model_hash"]
        assert isinstance(column, HashColumn)
        return column.digests

    def arch_indices(self) -> NDArray[np.int32]:
        """Return the arch index of each row, -1 for a hash that no architecture has."""
        return indices_of_digests(self.digests)

    def take(self, rows: NDArray[np.integer[Any]] | slice) -> Table:
        """Return the table of the given rows, in the given order."""
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        return Table(header=self.header, columns=columns)

    def blocks(self, rows: int = ROWS_AT_ONCE) -> Iterator[Table]:
        """Yield the table in blocks of so many rows."""
        for start in range(0, len(self), rows):
            yield self.take(slice(start, start + rows))

    def rows(self) -> list[list[Any]]:
        """Return the rows as lists of plain Python values, in the file's order."""
        return [list(row) for row in zip(*(c.values() for c in self.columns.values()), strict=True)]


class TableBuilder:
    """Collects the columns of a table that is read block by block; `rows` counts the rows."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self._header = header
        self._parts: dict[str, list[Column]] = {name: [] for name in header["columns"]}
        self.rows = 0

    def add(self, rows: int, columns: Iterable[Column]) -> None:
        """Add a block of rows by its columns in the header's order.

        A value that is refused when they are made is named by its row in the table. Raises
        `NotEncodable` if the table has more rows than a file.
        """
        if self.rows + rows > MAX_ROWS:
            raise NotEncodable(f"over {MAX_ROWS} rows; a file has at most {MAX_ROWS}")
        try:
            for parts, column in zip(self._parts.values(), columns, strict=True):
                parts.append(column)
        except ValueRefused as error:
            raise error.further_down(self.rows) from error
        self.rows += rows

    def table(self) -> Table:
        """Return the table of one block or more."""
        return Table.of_file(
            self._header, {name: joined(self._parts.pop(name)) for name in list(self._parts)}
        )
