"""The search space: 91,125 architectures, their arch vectors, and their model hashes.

An architecture is one of 45 distinct cells in each of three stages. Its arch index is a number in
base 45, the first stage fastest; an arch vector is `[cell, cell, cell]` with
`cell = [[op1], [op2, prev, input, skip]]`. Raw arch vectors that compute the same function share
one canonical arch vector and one model hash.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import ArchitectureError, UnknownArchitecture
from blox_core.space import hash_table

OPS: Final = ("conv", "mbconv", "bconv")
NODES: Final = 2
STAGES: Final = 3
DISTINCT_CELLS: Final = 45
SPACE_SIZE: Final = DISTINCT_CELLS**STAGES

Cell = tuple[int, int, int, int, int]  # op1, op2, prev, input, skip
ArchVec = list[list[list[int]]]

_FIELDS = ("op1", "op2", "prev", "input", "skip")
_CHOICES = (len(OPS), len(OPS), 2, 2, 2)
_NESTS = (list, tuple)
_FORM = "[[op1], [op2, prev, input, skip]]"


def raw_cells() -> Iterator[Cell]:
    """Yield all 72 raw cells, invalid ones included, in the published order: op1 is fastest."""
    for reversed_cell in product(*(range(choices) for choices in reversed(_CHOICES))):
        skip, from_input, prev, op2, op1 = reversed_cell
        yield op1, op2, prev, from_input, skip


def canonical_cell(cell: Cell) -> Cell | None:
    """Return the one cell that stands for all that compute the same, None where there is no path.

    A lone op is written as op2 on the input; of two parallel ops, whose sum has no order, op1 is
    the one with the larger number.
    """
    op1, op2, prev, from_input, skip = cell
    if prev:
        return cell
    if from_input and skip:
        return max(op1, op2), min(op1, op2), 0, 1, 1
    if from_input or skip:
        return 0, op2 if from_input else op1, 0, 1, 0
    return None


_CELLS: tuple[Cell, ...] = tuple(c for c in raw_cells() if canonical_cell(c) == c)
_CELL_NUMBERS: dict[Cell, int] = {
    cell: _CELLS.index(canonical)
    for cell in raw_cells()
    if (canonical := canonical_cell(cell)) is not None
}


@dataclass(frozen=True)
class Architecture:
    """One architecture of the search space, by its arch index (0 to 91,124).

    Raises ArchitectureError for any other index.
    """

    index: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", checked_index(self.index))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The canonical cells of the three stages, each (op1, op2, prev, input, skip)."""
        first, second = self.index % DISTINCT_CELLS, self.index // DISTINCT_CELLS % DISTINCT_CELLS
        return _CELLS[first], _CELLS[second], _CELLS[self.index // DISTINCT_CELLS**2]

    @property
    def arch_vec(self) -> ArchVec:
        """The canonical arch vector, a new nested list."""
        return [[[op1], list(rest)] for op1, *rest in self.cells]

    @property
    def model_hash(self) -> str:
        """The published model hash, 32 hex digits."""
        return hash_table.digest(self.index).hex()


def checked_index(index: Any) -> int:
    """Return an arch index as an int; raise ArchitectureError unless it is 0 to 91,124."""
    try:
        number = None if isinstance(index, bool) else operator.index(index)
    except TypeError:
        number = None
    if number is None or not 0 <= number < SPACE_SIZE:
        raise ArchitectureError(
            f"arch index {index!r}: an integer from 0 to {SPACE_SIZE - 1} is allowed"
        )
    return number


def arch_vec(index: int) -> ArchVec:
    """Return the canonical arch vector of an arch index; raise ArchitectureError if out of range."""
    return Architecture(index).arch_vec


def index_of(arch_vec: Sequence[Any]) -> int:
    """Return the arch index of any valid raw arch vector, canonical or not.

    Lists and tuples of ints and numpy integers are accepted. Raises ArchitectureError, naming the
    stage and the reason, for anything else.
    """
    if not isinstance(arch_vec, _NESTS) or len(arch_vec) != STAGES:
        raise ArchitectureError(
            f"arch vector {_shown(arch_vec)}: a list of {STAGES} cells {_FORM} is allowed"
        )
    first, second, third = arch_vec
    return (
        _cell_number(1, first)
        + DISTINCT_CELLS * _cell_number(2, second)
        + DISTINCT_CELLS**2 * _cell_number(3, third)
    )


def raw_architecture(arch_vec: Sequence[Any]) -> tuple[Cell, ...]:
    """Return the cells of a raw arch vector as they are written, after checking them.

    A cell without a path from input to output passes; raises ArchitectureError otherwise.
    """
    if not isinstance(arch_vec, _NESTS) or len(arch_vec) != STAGES:
        index_of(arch_vec)
    return tuple(_parsed_cell(stage, cell) for stage, cell in enumerate(arch_vec, 1))


def model_hash(arch_vec: Sequence[Any]) -> str:
    """Return the published model hash of any valid raw arch vector; raise as `index_of`."""
    return hash_table.digest(index_of(arch_vec)).hex()


def index_of_hash(model_hash: str) -> int:
    """Return the arch index of a model hash; raise UnknownArchitecture if no architecture has it."""
    try:
        return hash_table.numbers()[bytes.fromhex(model_hash)]
    except (KeyError, ValueError, TypeError):
        raise UnknownArchitecture(
            f"model hash {model_hash!r}: no architecture has it; a model hash is 32 hex digits, "
            "see blox_core.space.all_hashes()"
        ) from None


def indices_of_digests(digests: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the arch index of each model hash, -1 for those that no architecture has.

    `digests` is uint8 (n, 16), the bytes in the order of the hash's hex digits.
    """
    first, index_of_first = hash_table.first_halves()
    wanted = hash_table.halves(digests)
    at = np.minimum(np.searchsorted(first, wanted[:, 0]), SPACE_SIZE - 1)
    found = index_of_first[at]
    same = (hash_table.halves()[found] == wanted).all(axis=1)
    return np.where(same, found, -1).astype(np.int32)


def all_hashes() -> list[str]:
    """Return the 91,125 model hashes in the order of the arch indices."""
    text, width = hash_table.load().hex(), 2 * hash_table.DIGEST_BYTES
    return [text[at : at + width] for at in range(0, len(text), width)]


def random_indices(n: int, seed: int | None) -> list[int]:
    """Return `n` distinct arch indices, drawn by `numpy.random.default_rng(seed)`.

    Without a seed others are drawn at every call. Raises ArchitectureError unless 0 <= n <= 91,125
    and for a seed that is no integer of 0 or more.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 0 <= n <= SPACE_SIZE:
        raise ArchitectureError(
            f"{n!r} random architectures: an integer from 0 to {SPACE_SIZE} is allowed"
        )
    if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
        raise ArchitectureError(f"seed {seed!r}: an integer of 0 or more, or None, is allowed")
    drawn = np.random.default_rng(seed).choice(SPACE_SIZE, size=n, replace=False)
    return [int(index) for index in drawn]


def _cell_number(stage: int, cell: Any) -> int:
    number = _CELL_NUMBERS.get(_parsed_cell(stage, cell))
    if number is None:
        raise ArchitectureError(
            f"stage {stage}, cell {_shown(cell)}: no path from its input to its output; "
            "one of prev, input and skip has to be 1"
        )
    return number


def _parsed_cell(stage: int, cell: Any) -> Cell:
    if not isinstance(cell, _NESTS) or len(cell) != NODES:
        raise _bad_nesting(stage, cell)
    first, second = cell
    if not (isinstance(first, _NESTS) and isinstance(second, _NESTS)):
        raise _bad_nesting(stage, cell)
    try:
        (op1,), (op2, prev, from_input, skip) = first, second
    except ValueError:
        raise _bad_nesting(stage, cell) from None
    parsed = (op1, op2, prev, from_input, skip)
    # True and 1.0 equal 1 and hash as it does, so the types are looked at before the table.
    if not (type(op1) is type(op2) is type(prev) is type(from_input) is type(skip) is int):
        return _in_range(stage, cell, _plain_ints(stage, cell, parsed))
    return parsed if parsed in _CELL_NUMBERS else _in_range(stage, cell, parsed)


def _plain_ints(stage: int, cell: Any, values: tuple[Any, ...]) -> Cell:
    for field, value in zip(_FIELDS, values, strict=True):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ArchitectureError(
                f"stage {stage}, cell {_shown(cell)}: {field} is {value!r}, "
                f"a {type(value).__name__}; an integer is allowed"
            )
    op1, op2, prev, from_input, skip = map(int, values)
    return op1, op2, prev, from_input, skip


def _in_range(stage: int, cell: Any, parsed: Cell) -> Cell:
    for field, value, choices in zip(_FIELDS, parsed, _CHOICES, strict=True):
        if not 0 <= value < choices:
            allowed = "0 (conv), 1 (mbconv) or 2 (bconv)" if field.startswith("op") else "0 or 1"
            raise ArchitectureError(
                f"stage {stage}, cell {_shown(cell)}: {field} is {value}; {allowed} is allowed"
            )
    return parsed


def _bad_nesting(stage: int, cell: Any) -> ArchitectureError:
    return ArchitectureError(f"stage {stage}, cell {_shown(cell)}: {_FORM} is allowed")


def _shown(value: Any) -> str:
    longest = 80
    text = repr(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
