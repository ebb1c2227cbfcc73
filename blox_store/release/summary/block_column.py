"""A column of a block of rows, which knows in which row of the table an item stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blox_store.release.columns import Column, RaggedColumn
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

    def refuse_items(self, bad: NDArray[np.bool_], allowed: str) -> None:
        """Raise `NotEncodable` for the first item of which `bad` is true, if there is one."""
        if bad.any():
            item = int(np.argmax(bad))
            value = self.items.array().ravel()[item].item()
            row = self.first_row + self._row_of(item, bad.size)
            raise refusal(row, self.name, value, allowed)

    def _row_of(self, item: int, items: int) -> int:
        if isinstance(self.column, RaggedColumn):
            return int(np.searchsorted(self.column.offsets, item, side="right")) - 1
        return item // (items // len(self.column))
