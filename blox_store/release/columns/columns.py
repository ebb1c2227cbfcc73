"""Columns of a release file as numpy arrays, and the Python values that they stand for.

A column of lists is two-dimensional where its lists are equally long (the training curves: rows x
epochs) and a `RaggedColumn` otherwise. `values(rows)` gives plain Python values, equal to the last
bit to what the published reader gives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

# From the array that a column holds to another one, or to one of its items.
ArrayChange: TypeAlias = Callable[[NDArray[Any]], Any]

MILLION = 1_000_000
ACCURACY_DECIMALS = 3
_LARGEST_TABLE = 2**16  # images; columns of more, which no published file has, do without
TRAIN_IMAGES, VAL_IMAGES, TEST_IMAGES = 45_000, 5_000, 10_000
# Below it a product of a double is off by less than half of _NEAR, so a tie cannot be missed.
_LARGEST_SCALED: Final = 2.0**32
_NEAR: Final = 1e-6


def images_of(column: str) -> int:
    """Return the number of images behind an accuracy column, by its name.

    Source: the published format; `train` is looked for first, then `val`, else it is the test set.
    """
    if "train" in column:
        return TRAIN_IMAGES
    return VAL_IMAGES if "val" in column else TEST_IMAGES


@cache
def accuracy_table(images: int) -> NDArray[np.float64]:
    """Return the percentage for every number of correct images, 0 to `images`.

    They are the doubles of Python's `round(count / images * 100, 3)`, which numpy's own rounding
    does not always give.
    """
    table = _percentages(np.arange(images + 1), images)
    table.setflags(write=False)
    return table


def _percentages(counts: NDArray[Any], images: int) -> NDArray[np.float64]:
    return round_decimals(counts / images * 100, ACCURACY_DECIMALS)


def round_decimals(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    """Return `round(value, decimals)` of every double, equal to the last bit.

    A quotient of a whole number and a power of ten is the double of that decimal number, which is
    what Python gives. Only where the product by the power of ten is close to a tie, or is large or
    not finite, Python itself is asked (3.5e-6 is below the tie, its product by a million on it).
    """
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.asarray(values) * 10.0**decimals
        is_clear = np.abs(np.abs(scaled - np.rint(scaled)) - 0.5) > _NEAR
    rounded: NDArray[np.float64] = np.rint(scaled) / 10.0**decimals
    doubtful = ~(is_clear & (np.abs(scaled) < _LARGEST_SCALED))
    rounded[doubtful] = [round(value, decimals) for value in values[doubtful].tolist()]
    return rounded


class Column(ABC):
    """One column of a table."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def take(self, rows: NDArray[np.integer[Any]] | slice) -> Column:
        """Return the column of the given rows, in the given order."""

    @abstractmethod
    def values(self) -> list[Any]:
        """Return the plain Python value of each row."""

    @abstractmethod
    def array(self) -> NDArray[Any]:
        """Return the array that holds the items; of a ragged column the items of all its lists."""

    def lengths(self) -> NDArray[np.int64] | None:
        """Return the number of items in each row, None where rows hold no lists."""
        return None

    def value(self, row: int) -> Any:
        """Return the plain Python value of one row."""
        return self.take(slice(row, row + 1)).values()[0]


class ArrayColumn(Column):
    """A column that one array holds, with an item or a list of items a row."""

    def __len__(self) -> int:
        return len(self.array())

    def take(self, rows: NDArray[np.integer[Any]] | slice) -> Self:
        return self.holding(self.array()[rows])

    def holding(self, array: NDArray[Any]) -> Self:
        """Return the column that is as this one but for its array."""
        return type(self)(array)  # type: ignore[call-arg]  # what most of them are made of


@dataclass(frozen=True, eq=False)
class HashColumn(ArrayColumn):
    """Model hashes: uint8 (rows, 16), in the order in which their hex digits are shown."""

    digests: NDArray[np.uint8]

    def array(self) -> NDArray[Any]:
        return self.digests

    def values(self) -> list[str]:
        text = self.digests.tobytes().hex()
        return [text[at : at + 32] for at in range(0, len(text), 32)]


@dataclass(frozen=True, eq=False)
class IntColumn(ArrayColumn):
    """Unsigned integers: uint32, or uint64 where that is too small; (rows,) or (rows, k)."""

    data: NDArray[np.unsignedinteger[Any]]

    def array(self) -> NDArray[Any]:
        return self.data

    def values(self) -> list[Any]:
        return list(self.data.tolist())


class NumberColumn(ArrayColumn):
    """A column of doubles, however it is held."""

    @abstractmethod
    def floats(self) -> NDArray[np.float64]:
        """Return the doubles, (rows,) or (rows, k)."""

    def apply(self, change: ArrayChange) -> Self:
        """Return the column that holds `change` of what this one holds.

        What is held, counts or millionths, stands in the order of the doubles, so that a selection
        or a maximum is taken without decoding the rest.
        """
        return self.holding(change(self.array()))

    def lengths(self) -> NDArray[np.int64] | None:
        rows, *width = self.array().shape
        return np.full(rows, width[0], np.int64) if width else None

    def values(self) -> list[Any]:
        return list(self.floats().tolist())


@dataclass(frozen=True, eq=False)
class CountColumn(NumberColumn):
    """Accuracies held as numbers of correct images out of `images`: uint16 or uint32."""

    counts: NDArray[np.uint16] | NDArray[np.uint32]
    images: int

    def array(self) -> NDArray[Any]:
        return self.counts

    def holding(self, array: NDArray[Any]) -> CountColumn:
        return CountColumn(array, self.images)

    def floats(self) -> NDArray[np.float64]:
        if self.images > _LARGEST_TABLE:
            return _percentages(self.counts, self.images)
        return accuracy_table(self.images)[self.counts]


@dataclass(frozen=True, eq=False)
class MillionthsColumn(NumberColumn):
    """Losses or latencies held as millionths: uint32."""

    millionths: NDArray[np.uint32]

    def array(self) -> NDArray[Any]:
        return self.millionths

    def floats(self) -> NDArray[np.float64]:
        return self.millionths / np.float64(MILLION)


@dataclass(frozen=True, eq=False)
class FloatColumn(NumberColumn):
    """Numbers that are neither exact counts nor exact millionths: float64."""

    data: NDArray[np.float64]

    def array(self) -> NDArray[Any]:
        return self.data

    def floats(self) -> NDArray[np.float64]:
        return self.data


@dataclass(frozen=True, eq=False)
class StringColumn(ArrayColumn):
    """Strings, each distinct one held once: `strings[codes[row]]`, codes uint32 (rows,)."""

    codes: NDArray[np.uint32]
    strings: tuple[str, ...]

    @classmethod
    def of(cls, values: list[str]) -> StringColumn:
        """Return the column of these strings."""
        codes = {text: code for code, text in enumerate(dict.fromkeys(values))}
        held = np.fromiter((codes[text] for text in values), np.uint32, len(values))
        return cls(held, tuple(codes))

    def array(self) -> NDArray[Any]:
        return self.codes

    def holding(self, array: NDArray[Any]) -> StringColumn:
        return StringColumn(array, self.strings)

    def values(self) -> list[str]:
        return [self.strings[code] for code in self.codes.tolist()]


@dataclass(frozen=True, eq=False)
class ArchColumn(ArrayColumn):
    """Arch vectors: uint8 (rows, 3), one byte a cell.

    `((op1 * 3 + op2) << 3) | prev << 2 | input << 1 | skip` for `[[op1], [op2, prev, input, skip]]`.
    """

    cells: NDArray[np.uint8]

    def array(self) -> NDArray[Any]:
        return self.cells

    def values(self) -> list[Any]:
        return [[unpack_cell(cell) for cell in row] for row in self.cells.tolist()]


@dataclass(frozen=True, eq=False)
class RaggedColumn(Column):
    """Lists of unequal length: row r holds items `offsets[r]` to `offsets[r + 1]` of `items`."""

    offsets: NDArray[np.int64]
    items: Column

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: NDArray[np.integer[Any]] | slice) -> RaggedColumn:
        chosen = np.arange(len(self))[rows]
        spans = [np.arange(self.offsets[row], self.offsets[row + 1]) for row in chosen]
        lengths = np.array([0, *map(len, spans)], np.int64)
        items = np.concatenate([np.zeros(0, np.int64), *spans])
        return RaggedColumn(np.cumsum(lengths), self.items.take(items))

    def array(self) -> NDArray[Any]:
        return self.items.array()

    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    def values(self) -> list[Any]:
        items, bounds = self.items.values(), self.offsets.tolist()
        return [items[a:b] for a, b in pairwise(bounds)]


def pack_cell(cell: list[list[int]]) -> int:
    """Return the byte of one cell `[[op1], [op2, prev, input, skip]]`."""
    (op1,), (op2, prev, from_input, skip) = cell
    return (op1 * 3 + op2) << 3 | prev << 2 | from_input << 1 | skip


def unpack_cell(byte: int) -> list[list[int]]:
    """Return the cell `[[op1], [op2, prev, input, skip]]` of one byte."""
    ops = byte >> 3
    return [[ops // 3], [ops % 3, byte >> 2 & 1, byte >> 1 & 1, byte & 1]]
