"""A table that is read block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from blox_store.errors import NotEncodable, ValueRefused
from blox_store.release.columns import Column
from blox_store.release.columns.joining import joined
from blox_store.release.table import MAX_ROWS, Table


class TableBuilder:
    """Collects the columns of blocks of rows; `rows` counts them."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self._header = header
        self._parts: dict[str, list[Column]] = {name: [] for name in header["columns"]}
        self.rows = 0

    def add(self, rows: int, columns: Iterable[Column]) -> None:
        """Add a block of rows by its columns in the header's order.

        A value that is refused when they are made is named by its row in the table. Raises `NotEncodable` if the table
        has more rows than a file.
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
