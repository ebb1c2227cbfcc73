"""Arch indices as they are written on a command line."""

from __future__ import annotations

import re

import click

from blox_core.space import SPACE_SIZE

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def parse_indices(text: str) -> list[int]:
    """Return the arch indices of `0-9,77`, without repetitions; raise click.BadParameter."""
    chosen: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise click.BadParameter(f"{part!r}: numbers and ranges such as 0-9,77 are allowed")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < SPACE_SIZE:
            raise click.BadParameter(
                f"{part!r}: arch indices from 0 to {SPACE_SIZE - 1}, the smaller first, are allowed"
            )
        chosen.update(range(first, last + 1))
    return sorted(chosen)
