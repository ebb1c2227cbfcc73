"""What the command lines of all benchmarks have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from benchmarks.suite.report.report import Report, rows_in_words

Command = TypeVar("Command", bound=Callable[..., Any])


def report_options(command: Command) -> Command:
    """Add what says where a report goes and how it is judged: `hand_out` takes it."""
    for option in (_BOUND, _ANY_LOAD, _CHECK, _JSON):
        command = option(command)
    return command


def hand_out(
    report: Report,
    console: Console,
    json_path: Path | None,
    bounds: Mapping[str, float],
    check: bool,
) -> None:
    """Print and write a report; raise a ClickException if it does not pass."""
    report = report.with_bounds(bounds)
    report.show(console)
    if json_path is not None:
        report.write(json_path)
    if unknown := bounds.keys() - {row.name for row in report.rows}:
        raise click.BadParameter(
            f"no row has the name {min(unknown)!r}; the table has those that are allowed",
            param_hint="'--bound'",
        )
    if check and report.missed:
        raise click.ClickException(rows_in_words(report.missed))


def _json_path(
    context: click.Context, parameter: click.Parameter, value: Path | None
) -> Path | None:
    if value is not None and not value.parent.is_dir():
        raise click.BadParameter(f"'{value}': there is no folder '{value.parent}'; make it first")
    return value


def _bounds(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, float]:
    bounds = {}
    for value in values:
        name, _, number = value.rpartition("=")
        try:
            bounds[name] = float(number)
        except ValueError:
            bounds[name] = math.nan
        if not name or math.isnan(bounds[name]):
            raise click.BadParameter(f"{value!r}: NAME=NUMBER is allowed")
    return bounds


_JSON = click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_json_path,
    help="Write all there too.",
)
_CHECK = click.option(
    "--check", is_flag=True, help="Exit by 1 if a bound is missed, and say which."
)
_ANY_LOAD = click.option(
    "--any-load", is_flag=True, help="Measure on a busy machine too; marks the table."
)
_BOUND = click.option(
    "--bound",
    "bounds",
    metavar="NAME=NUMBER",
    multiple=True,
    callback=_bounds,
    help="Another bound of a row.",
)
