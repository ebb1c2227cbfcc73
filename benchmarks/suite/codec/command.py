"""The command line of `benchmarks/codec.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from benchmarks.suite.codec import cutting
from benchmarks.suite.codec import rows as codec_rows
from benchmarks.suite.report.machine import refuse_if_busy, this_machine
from benchmarks.suite.report.options import hand_out, report_options
from benchmarks.suite.report.report import Report, Row
from blox_core.space import SPACE_SIZE

PARTS: Final = ("codec", "export")
WIDTH: Final = 140
RUNS: Final = 5
_FEWEST: Final = 100  # of which the queries ask


def _sizes(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        sizes = [int(number) for number in value.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(1 <= size <= SPACE_SIZE for size in sizes):
        raise click.BadParameter(f"{value!r}: numbers from 1 to {SPACE_SIZE} are allowed")
    return sizes


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@report_options
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=RUNS,
    show_default=True,
    help="Runs by turns of which codec takes medians.",
)
@click.option(
    "--architectures",
    type=click.IntRange(_FEWEST, SPACE_SIZE),
    default=SPACE_SIZE,
    show_default=True,
    help="Rows of the release that codec reads.",
)
@click.option(
    "--rows",
    "sizes",
    callback=_sizes,
    default=",".join(map(str, cutting.SIZES)),
    show_default=True,
    help="Numbers of results that export writes.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Epochs of what export writes.",
)
@click.option(
    "--formats", default="blox", show_default=True, help="Formats of export, as blox_store.export."
)
def main(
    parts: Sequence[str],
    json_path: Path | None,
    check: bool,
    any_load: bool,
    runs: int,
    architectures: int,
    sizes: Sequence[int],
    epochs: int,
    formats: str,
    bounds: dict[str, float],
) -> None:
    """Measure reading, querying and encoding a release, and cutting one from PostgreSQL."""
    machine = this_machine()
    if not any_load:
        refuse_if_busy(machine)
    console = Console(width=WIDTH)
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for part in parts or PARTS:
        if part == "codec":
            found, details[part] = codec_rows.measure(architectures, runs)
            console.print(codec_rows.circumstances(runs))
        else:
            found, details[part] = cutting.measure(sizes, epochs, formats)
        rows += found
    hand_out(Report(machine=machine, rows=rows, details=details), console, json_path, bounds, check)
