"""A cell as lines of text, for a terminal."""

from __future__ import annotations

from typing import Final

from blox_core.space import Cell
from blox_core.space.cell_plan import (
    ABOVE,
    BELOW,
    LEVEL,
    SUM,
    CellPlan,
    PlannedArrow,
    PlannedNode,
    cell_plan,
)

_STARTS: Final = (0, 11, 23, 30, 42, 49)  # of the columns of a plan
_WIDTH: Final = 55
_LANE: Final = 2  # rows from the middle; what passes there has an arrow head on the way back
_FORK: Final = 2  # behind the end of a node, in the arrow that leaves it
_SHOWN: Final = {SUM: "⊕"}
# (where it turns, by the row that it leads to): leaving the middle, and back to it.
_AWAY: Final = {ABOVE: "╭", BELOW: "╰"}
_BACK: Final = {ABOVE: "╮", BELOW: "╯"}
_FORKS: Final = {ABOVE: "┴", BELOW: "┬"}
_HEADS: Final = {ABOVE: "↓", BELOW: "↑"}


def cell_lines(cell: Cell) -> list[str]:
    """Return the lines that draw a canonical cell: one to five, at most 55 characters wide."""
    return _Canvas().drawn(cell_plan(cell))


class _Canvas:
    """A grid of characters whose rows count from the middle, upwards."""

    def __init__(self) -> None:
        self._rows = {row: [" "] * _WIDTH for row in range(-_LANE, _LANE + 1)}

    def drawn(self, plan: CellPlan) -> list[str]:
        for arrow in plan.arrows:
            self._draw(arrow)
        for node in plan.nodes:
            self._put(_start(node), node.row, _text(node))
        lines = ["".join(self._rows[row]).rstrip() for row in sorted(self._rows, reverse=True)]
        return [line for line in lines if line]

    def _draw(self, arrow: PlannedArrow) -> None:
        source, target = arrow.source, arrow.target
        if arrow.lane != LEVEL:
            self._pass_by(arrow)
        elif source.row == target.row:
            self._line(_end(source) + 1, _start(target) - 3, source.row)
            self._put(_start(target) - 2, source.row, "→")
        elif target.row != LEVEL:
            fork = _end(source) + _FORK
            self._line(_end(source) + 1, fork - 1, LEVEL)
            self._put(fork, LEVEL, "┤")
            self._put(fork, target.row, _AWAY[target.row])
            self._line(fork + 1, _start(target) - 3, target.row)
            self._put(_start(target) - 2, target.row, "→")
        else:
            self._line(_end(source) + 1, _start(target) - 1, source.row)
            self._put(_start(target), source.row, _BACK[source.row])

    def _pass_by(self, arrow: PlannedArrow) -> None:
        lane, row = arrow.lane, _LANE * arrow.lane
        left, right = _end(arrow.source) + _FORK, _start(arrow.target)
        self._put(left, LEVEL, _FORKS[lane])
        self._put(left, lane, "│")
        self._put(left, row, _AWAY[lane])
        self._line(left + 1, right - 1, row)
        self._put(right, row, _BACK[lane])
        self._put(right, lane, _HEADS[lane])

    def _line(self, first: int, last: int, row: int) -> None:
        self._put(first, row, "─" * (last - first + 1))

    def _put(self, column: int, row: int, text: str) -> None:
        self._rows[row][column : column + len(text)] = text


def _text(node: PlannedNode) -> str:
    return _SHOWN.get(node.name, node.name)


def _start(node: PlannedNode) -> int:
    return _STARTS[node.column]


def _end(node: PlannedNode) -> int:
    """Return the first column behind a node."""
    return _start(node) + len(_text(node))
