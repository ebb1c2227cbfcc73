"""Bounds of a benchmark on its command line."""

from __future__ import annotations

import math
from collections.abc import Sequence

import click


def parsed_bounds(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, float]:
    """Return the bounds of `NAME=NUMBER`s; raise BadParameter for anything else."""
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
