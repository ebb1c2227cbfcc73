"""The command line of `benchmarks/queue.py`."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from benchmarks import enqueue, scale, soak
from benchmarks.machine import refuse_if_busy, this_machine
from benchmarks.report import Report, Row, rows_in_words
from blox_core.space import SPACE_SIZE

PARTS: Final = ("enqueue", "scale", "soak")
DEFAULT_PARTS: Final = ("enqueue", "scale")
WIDTH: Final = 120
_SEEDS: Final = 1_000_000


def _fleets(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        fleets = [int(number) for number in value.split(",")]
    except ValueError:
        fleets = []
    if not fleets or min(fleets) < 1:
        raise click.BadParameter(f"{value!r}: numbers from 1 on such as 100,300,1000 are allowed")
    return fleets


def _bounds(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, float]:
    bounds = {}
    for value in values:
        name, _, bound = value.rpartition("=")
        try:
            bounds[name] = float(bound)
        except ValueError:
            raise click.BadParameter(f"{value!r}: NAME=NUMBER is allowed") from None
    return bounds


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all there too.")
@click.option("--check", is_flag=True, help="Exit by 1 if a bound is missed, and say which.")
@click.option("--any-load", is_flag=True, help="Measure on a busy machine too; marks the table.")
@click.option(
    "--jobs",
    type=click.IntRange(1, SPACE_SIZE),
    default=SPACE_SIZE,
    show_default=True,
    help="Jobs of enqueue and soak.",
)
@click.option(
    "--fleets",
    callback=_fleets,
    default=",".join(map(str, scale.FLEETS)),
    show_default=True,
    help="Numbers of workers of scale.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    default=30.0,
    show_default=True,
    help="How long scale measures each fleet.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Workers of soak.",
)
@click.option(
    "--seed", type=int, help="Seed of soak's faults and results; default: one at random, printed."
)
@click.option(
    "--fault-every",
    type=click.FloatRange(0, min_open=True),
    default=15.0,
    show_default=True,
    help="Seconds between two faults of soak, on average.",
)
@click.option("--faults", type=click.IntRange(0), help="At most so many faults of soak.")
@click.option(
    "--bound",
    "bounds",
    metavar="NAME=NUMBER",
    multiple=True,
    callback=_bounds,
    help="Another bound of a row.",
)
def main(
    parts: Sequence[str],
    json_path: Path | None,
    check: bool,
    any_load: bool,
    jobs: int,
    fleets: Sequence[int],
    seconds: float,
    workers: int,
    seed: int | None,
    fault_every: float,
    faults: int | None,
    bounds: dict[str, float],
) -> None:
    """Measure the queue: enqueue and scale, or the parts that are named."""
    machine = this_machine()
    if not any_load:
        refuse_if_busy(machine)
    console = Console(width=WIDTH)
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for part in parts or DEFAULT_PARTS:
        if part == "enqueue":
            rows += enqueue.measure(jobs)
        elif part == "scale":
            rows += scale.measure(fleets, seconds)
        else:
            plan = soak.Plan(
                jobs=jobs,
                workers=workers,
                seed=secrets.randbelow(_SEEDS) if seed is None else seed,
                every_s=fault_every,
                faults=sys.maxsize if faults is None else faults,
            )
            soaked, details["soak"] = soak.measure(plan, console)
            rows += soaked
    report = Report(machine=machine, rows=rows, details=details).with_bounds(bounds)
    report.show(console)
    if json_path is not None:
        report.write(json_path)
    if check and report.missed:
        raise click.ClickException(rows_in_words(report.missed))
