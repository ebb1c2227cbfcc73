"""A column of a block of rows, which knows in which row of the table an item stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.release.columns import Column, NumberColumn, RaggedColumn
from blox_store.release.rows import refusal


@dataclass(frozen=True, kw_only=True)
class BlockColumn:
    """The column `name` of a block whose first row is row `first_row` of the table."""

    name: str
    column: Column
    first_row: int

    @property
    def items(self) -> Column:
        """The column's items: of all its lists, where they are unequal, one after the other."""
        return self.column.items if isinstance(self.column, RaggedColumn) else self.column

    @property
    def is_list(self) -> bool:
        """Whether a row holds a list."""
        is_matrix = isinstance(self.column, NumberColumn) and self.column.array().ndim > 1
        return is_matrix or isinstance(self.column, RaggedColumn)

    def lengths(self) -> NDArray[np.int64]:
        """Return the number of items in each row."""
        if isinstance(self.column, RaggedColumn):
            return np.diff(self.column.offsets)
        width = self.column.array().shape[1] if self.is_list else 1
        return np.full(len(self.column), width, np.int64)

    def with_items(self, items: Column) -> Column:
        """Return the column with other items in the same lists."""
        if isinstance(self.column, RaggedColumn):
            return RaggedColumn(self.column.offsets, items)
        return items

    def refuse_rows(self, bad: NDArray[np.bool_], allowed: str) -> None:
        """Raise `NotEncodable` for the first row of which `bad` (rows,) is true, if there is one."""
        if bad.any():
            row = int(np.argmax(bad))
            raise refusal(self.first_row + row, self.name, self.column.value(row), allowed)

    def refuse_items(
        self, bad: NDArray[np.bool_], allowed: str, values: Callable[[], NDArray[Any]]
    ) -> None:
        """Raise `NotEncodable` for the first item of which `bad` is true; `values` shows them."""
        if bad.any():
            item = int(np.argmax(bad))
            value = values().ravel()[item]
            plain = value.item() if isinstance(value, np.generic) else value
            row = self.first_row + self._row_of(item, bad.size)
            raise refusal(row, self.name, plain, allowed)

    def _row_of(self, item: int, items: int) -> int:
        if isinstance(self.column, RaggedColumn):
            return int(np.searchsorted(self.column.offsets, item, side="right")) - 1
        return item // (items // len(self.column))
