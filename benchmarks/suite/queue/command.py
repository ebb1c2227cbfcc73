"""The command line of `benchmarks/queue.py`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from benchmarks.suite.queue import enqueue, scale, soak
from benchmarks.suite.queue.production import MOST_WORKERS
from benchmarks.suite.report.machine import refuse_if_busy, this_machine
from benchmarks.suite.report.options import hand_out, report_options
from benchmarks.suite.report.report import Report, Row
from blox_core.recipe.fields import SEED_LIMIT
from blox_core.space import SPACE_SIZE

PARTS: Final = ("enqueue", "scale", "soak")
DEFAULT_PARTS: Final = ("enqueue", "scale")
WIDTH: Final = 120
_SEEDS: Final = 1_000_000
_DAY_S: Final = 86_400


def _fleets(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        fleets = [int(number) for number in value.split(",")]
    except ValueError:
        fleets = []
    if not fleets or min(fleets) < 1 or max(fleets) > MOST_WORKERS:
        raise click.BadParameter(
            f"{value!r}: numbers from 1 to {MOST_WORKERS} such as 100,300,1000 are allowed"
        )
    return fleets


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@report_options
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
    type=click.FloatRange(1, _DAY_S),
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
    "--seed",
    type=click.IntRange(0, SEED_LIMIT - 1),
    default=lambda: secrets.randbelow(_SEEDS),
    help="Seed of soak's faults and results; default: one at random, printed.",
)
@click.option(
    "--fault-every",
    type=click.FloatRange(0, _DAY_S, min_open=True),
    default=15.0,
    show_default=True,
    help="Seconds between two faults of soak, on average.",
)
@click.option("--faults", type=click.IntRange(0), help="At most so many faults of soak.")
def main(
    parts: Sequence[str],
    json_path: Path | None,
    check: bool,
    any_load: bool,
    jobs: int,
    fleets: Sequence[int],
    seconds: float,
    workers: int,
    seed: int,
    fault_every: float,
    faults: int | None,
    bounds: dict[str, float],
) -> None:
    """Measure the queue: enqueue and scale, or the parts that are named."""
    _refuse_if_too_long(parts or DEFAULT_PARTS, fleets, seconds)
    machine = this_machine()
    if not any_load:
        refuse_if_busy(machine)
    console = Console(width=WIDTH)
    plan = soak.Plan(jobs=jobs, workers=workers, seed=seed, every_s=fault_every, faults=faults)
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for part in parts or DEFAULT_PARTS:
        if part == "enqueue":
            rows += enqueue.measure(jobs)
        elif part == "scale":
            rows += scale.measure(fleets, seconds)
        else:
            soaked, details["soak"] = soak.measure(plan, console)
            rows += soaked
    report = Report(machine=machine, rows=rows, details=details)
    hand_out(report, console, json_path, bounds, check)


def _refuse_if_too_long(parts: Sequence[str], fleets: Sequence[int], seconds: float) -> None:
    """Raise a BadParameter if the fleets of scale would run out of jobs."""
    needed = scale.jobs_needed(fleets, seconds)
    if "scale" in parts and needed > SPACE_SIZE:
        raise click.BadParameter(
            f"{seconds:g} s of {sum(fleets):,} workers may take {needed:,} jobs: at most "
            f"{SPACE_SIZE:,} are there; give fewer seconds or smaller fleets",
            param_hint="'--seconds'",
        )
