"""What a benchmark has found: rows with their bounds, as a table, as JSON, and as a verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.suite.report.machine import Machine


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure; `bound` is the most that it may be, None if it is only to be known.

    `peer` says with what it was compared in the same run, and `ratio` is the figure over the
    peer's.
    """

    part: str
    name: str
    value: float
    unit: str
    bound: float | None = None
    peer: str | None = None
    ratio: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the figure is over its bound; one that is not a number is."""
        return self.bound is not None and not self.value <= self.bound

    @property
    def verdict(self) -> str:
        """The word for how the figure stands to its bound."""
        if self.bound is None:
            return ""
        return "missed" if self.missed else "ok"


@dataclass(frozen=True, kw_only=True)
class Report:
    """The rows of some parts, where they were measured, and what else is worth keeping."""

    machine: Machine
    rows: list[Row]
    details: Mapping[str, Any]

    def with_bounds(self, bounds: Mapping[str, float]) -> Report:
        """Return the report with other bounds for the rows of these names."""
        rows = [replace(row, bound=bounds.get(row.name, row.bound)) for row in self.rows]
        return replace(self, rows=rows)

    @property
    def missed(self) -> list[Row]:
        """The rows that are over their bounds."""
        return [row for row in self.rows if row.missed]

    def show(self, console: Console) -> None:
        """Print the tables."""
        for part in dict.fromkeys(row.part for row in self.rows):
            console.print(_table(part, [row for row in self.rows if row.part == part]))
        console.print(str(self.machine))

    def write(self, path: Path) -> None:
        """Write everything as one JSON document."""
        document = {
            "machine": asdict(self.machine) | {"busy": self.machine.busy},
            "rows": [asdict(row) | {"verdict": row.verdict} for row in self.rows],
            "details": self.details,
        }
        path.write_text(json.dumps(document, indent=2) + "\n")


def rows_in_words(rows: Iterable[Row]) -> str:
    """Return a line for each row that is over its bound."""
    return "\n".join(
        f"missed: {row.part}: {row.name} is {shown(row.value)} {row.unit}, "
        f"at most {shown(row.bound)} is allowed"
        for row in rows
    )


def shown(value: float | None) -> str:
    """Return a figure with as many digits as say something."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _table(part: str, rows: list[Row]) -> Table:
    table = Table(title=part, title_justify="left", title_style="bold")
    table.add_column("what")
    for name in ("value", "unit", "at most", "", "ratio"):
        table.add_column(name, justify="left" if name == "unit" else "right")
    table.add_column("of")
    for row in rows:
        style = "bold red" if row.missed else None
        table.add_row(
            row.name,
            shown(row.value),
            row.unit,
            shown(row.bound),
            row.verdict,
            shown(row.ratio),
            row.peer or "",
            style=style,
        )
    return table
