"""The command line of `benchmarks/export.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from benchmarks import cutting
from benchmarks.bounds import parsed_bounds
from benchmarks.machine import refuse_if_busy, this_machine
from benchmarks.report import Report, rows_in_words
from blox_core.space import SPACE_SIZE

WIDTH = 120


def _sizes(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        sizes = [int(number) for number in value.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(1 <= size <= SPACE_SIZE for size in sizes):
        raise click.BadParameter(f"{value!r}: numbers from 1 to {SPACE_SIZE} are allowed")
    return sizes


@click.command()
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all there too.")
@click.option("--check", is_flag=True, help="Exit by 1 if a bound is missed, and say which.")
@click.option("--any-load", is_flag=True, help="Measure on a busy machine too; marks the table.")
@click.option(
    "--rows",
    "sizes",
    callback=_sizes,
    default=",".join(map(str, cutting.SIZES)),
    show_default=True,
    help="Numbers of results to export.",
)
@click.option("--epochs", type=click.IntRange(1), default=200, show_default=True)
@click.option("--formats", default="blox", show_default=True, help="As of blox_store.export.")
@click.option(
    "--bound",
    "bounds",
    metavar="NAME=NUMBER",
    multiple=True,
    callback=parsed_bounds,
    help="Another bound of a row.",
)
def main(
    json_path: Path | None,
    check: bool,
    any_load: bool,
    sizes: Sequence[int],
    epochs: int,
    formats: str,
    bounds: dict[str, float],
) -> None:
    """Measure an export from PostgreSQL, its time and its memory."""
    machine = this_machine()
    if not any_load:
        refuse_if_busy(machine)
    console = Console(width=WIDTH)
    rows, details = cutting.measure(sizes, epochs, formats)
    report = Report(machine=machine, rows=rows, details=details).with_bounds(bounds)
    report.show(console)
    if json_path is not None:
        report.write(json_path)
    if check and report.missed:
        raise click.ClickException(rows_in_words(report.missed))
