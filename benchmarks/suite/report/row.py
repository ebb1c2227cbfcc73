"""The figures of a benchmark: rows with their bounds, and tables of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure: the median of its runs, with the least or the most that it may be.

    `peer` says with what it was compared in the same run, and `ratio` is the figure over the
    peer's. `beside` are more columns, `part` is the title of the table.
    """

    name: str
    runs: Sequence[float]
    unit: str = ""
    _: KW_ONLY
    at_least: float | None = None
    at_most: float | None = None
    peer: str = ""
    ratio: float | None = None
    beside: Mapping[str, str] = field(default_factory=dict)
    part: str = ""

    @property
    def value(self) -> float:
        """The figure that counts."""
        return median(self.runs)

    @property
    def missed(self) -> bool:
        """Whether the figure is outside its bounds; one that is not a number is."""
        too_low = self.at_least is not None and not self.value >= self.at_least
        return too_low or (self.at_most is not None and not self.value <= self.at_most)

    @property
    def bound(self) -> str:
        """What the figure has to be, in words; empty if anything will do."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return ", ".join(f"{words} {shown(value)}" for words, value in bounds if value is not None)

    @property
    def verdict(self) -> str:
        """The word for how the figure stands to its bound."""
        return "missed" if self.missed else "ok" if self.bound else ""

    def __str__(self) -> str:
        words = f"{self.part}: {self.name} is {shown(self.value)} {self.unit}".rstrip()
        return f"{words}, {self.bound} is allowed" if self.bound else words

    def bounded(self, bound: float) -> Row:
        """Return the row with another bound."""
        return replace(self, **{"at_most" if self.at_least is None else "at_least": bound})

    def against(self, peer: str, value: float) -> Row:
        """Return the row with the figure of a peer in the same unit."""
        return replace(self, peer=peer, ratio=self.value / value)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON holds."""
        return asdict(self) | {"value": self.value, "verdict": self.verdict}

    def cells(self) -> dict[str, str]:
        """Return the row of the table, by column."""
        several = len(self.runs) > 1
        return {
            "what": self.name,
            **self.beside,
            "value": shown(self.value),
            "least": shown(min(self.runs)) if several else "",
            "most": shown(max(self.runs)) if several else "",
            "unit": self.unit,
            "bound": self.bound,
            "verdict": self.verdict,
            "ratio": shown(self.ratio),
            "of": self.peer,
        }


def tables(rows: Sequence[Row]) -> str:
    """Return a table of Markdown for each part, without columns that none of its rows fills."""
    texts = []
    for part in dict.fromkeys(row.part for row in rows):
        cells = [row.cells() for row in rows if row.part == part]
        columns = [name for name in cells[0] if any(line[name] for line in cells)]
        lines = [columns, *([line[name] for name in columns] for line in cells)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, ["-" * width for width in widths])
        texts.append("\n".join([f"{part}\n", *(_line(line, widths) for line in lines)]))
    return "\n\n".join(texts)


def shown(value: float | None) -> str:
    """Return a figure with as many digits as say something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
