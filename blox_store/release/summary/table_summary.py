"""What a file must know of all its rows before it can be written: the first of two passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blox_store.errors import NotEncodable
from blox_store.release.columns.column_type import ColumnType
from blox_store.release.formats.blox_payload import PREAMBLE_BYTES
from blox_store.release.header import VERSION
from blox_store.release.known_columns import known_shape
from blox_store.release.summary.block_column import BlockColumn
from blox_store.release.summary.column_summary import new_summary
from blox_store.release.table import Table


class TableSummary:
    """The ranges and lengths of a table that comes in blocks of rows; `rows` counts them."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self._header = header
        kind = header["dataset_type"]
        self._columns = {
            name: new_summary(name, known_shape(kind, name)) for name in header["columns"]
        }
        self.rows = 0

    def add(self, block: Table) -> None:
        """Take note of the next rows.

        Raises `NotEncodable` naming the row, column and value that no type of the format holds.
        """
        for name, column in self._block_columns(block, self.rows).items():
            self._columns[name].add(column)
        self.rows += len(block)

    def types(self) -> dict[str, ColumnType]:
        """Return the type of each column: one of version 1 wherever its values fit."""
        return {name: column.chosen_type() for name, column in self._columns.items()}

    @property
    def version(self) -> int:
        """The version of the format that the table needs."""
        return max((kind.version for kind in self.types().values()), default=VERSION)

    def payload_bytes(self) -> int:
        """Return the size of the inflated payload of a `.blox` file."""
        return PREAMBLE_BYTES + sum(c.payload_bytes() for c in self._columns.values())

    def header(self) -> dict[str, Any]:
        """Return the table's header with the version that it needs."""
        return dict(self._header) | {"version": self.version}

    def fitted(self, blocks: Iterable[Table]) -> Iterator[Table]:
        """Yield the same blocks once more, as columns of the types: the second pass.

        Raises `NotEncodable` if they are not the same.
        """
        rows = 0
        for block in blocks:
            columns = self._block_columns(block, rows)
            fitted = {name: self._columns[name].fitted(column) for name, column in columns.items()}
            yield Table(header=block.header, columns=fitted)
            rows += len(block)
        if rows != self.rows:
            raise NotEncodable(f"{rows} rows came to be written, {self.rows} were summed up")

    def _block_columns(self, block: Table, first_row: int) -> dict[str, BlockColumn]:
        names = list(block.columns)
        if names != list(self._columns):
            raise NotEncodable(f"the header has columns {list(self._columns)}, the table {names}")
        rows = {name: len(column) for name, column in block.columns.items()}
        if len(set(rows.values())) > 1:
            raise NotEncodable(f"the columns have unequal numbers of rows: {rows}")
        return {
            name: BlockColumn(name=name, column=column, first_row=first_row)
            for name, column in block.columns.items()
        }
