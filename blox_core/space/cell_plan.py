"""How a cell is drawn: its nodes in columns and rows, and the arrows between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from blox_core.space.architecture import OPS, Cell

INPUT: Final = "input"
OUTPUT: Final = "output"
SUM: Final = "+"
# The columns of: the input, op1, the sum before op2, op2, the sum of the outputs, the output.
COLUMNS: Final = 6
_FIRST, _MIDDLE, _SECOND, _LAST, _END = range(1, COLUMNS)
ABOVE, LEVEL, BELOW = 1, 0, -1


@dataclass(frozen=True)
class PlannedNode:
    """An op by its name, a sum, the input or the output; `row` is ABOVE, LEVEL or BELOW."""

    name: str
    column: int
    row: int = LEVEL

    @property
    def is_op(self) -> bool:
        return self.name in OPS


@dataclass(frozen=True)
class PlannedArrow:
    """Where a value goes; one whose `lane` is not LEVEL passes above or below what is between."""

    source: PlannedNode
    target: PlannedNode
    lane: int = LEVEL


@dataclass(frozen=True, kw_only=True)
class CellPlan:
    """The drawing of one cell, from left to right."""

    nodes: tuple[PlannedNode, ...]
    arrows: tuple[PlannedArrow, ...]


def cell_plan(cell: Cell) -> CellPlan:
    """Return how a canonical cell is drawn: two parallel ops, or a chain of one or two."""
    op1, op2, prev, _, skip = cell
    return _parallel(OPS[op1], OPS[op2]) if skip and not prev else _chain(cell)


def _parallel(op1: str, op2: str) -> CellPlan:
    start, end = PlannedNode(INPUT, 0), PlannedNode(OUTPUT, _END)
    total = PlannedNode(SUM, _LAST)
    first, second = PlannedNode(op1, _SECOND, ABOVE), PlannedNode(op2, _SECOND, BELOW)
    pairs = [(start, first), (start, second), (first, total), (second, total), (total, end)]
    return CellPlan(
        nodes=(start, first, second, total, end), arrows=tuple(PlannedArrow(*p) for p in pairs)
    )


def _chain(cell: Cell) -> CellPlan:
    op1, op2, prev, from_input, skip = cell
    start, first, second = (
        PlannedNode(INPUT, 0),
        PlannedNode(OPS[op1], _FIRST),
        PlannedNode(OPS[op2], _SECOND),
    )
    taken, total = PlannedNode(SUM, _MIDDLE), PlannedNode(SUM, _LAST)
    nodes, lanes = [start], []
    if prev:
        nodes.append(first)
        if from_input:
            nodes.append(taken)
            lanes.append(PlannedArrow(start, taken, BELOW))
    nodes.append(second)
    if skip:
        nodes.append(total)
        lanes.append(PlannedArrow(first, total, ABOVE))
    nodes.append(PlannedNode(OUTPUT, _END))
    straight = [PlannedArrow(*pair) for pair in pairwise(nodes)]
    return CellPlan(nodes=tuple(nodes), arrows=(*straight, *lanes))
