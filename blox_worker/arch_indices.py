"""Architectures as they are written on a command line: one, or many by their arch indices."""

from __future__ import annotations

import json
import re

import click

from blox_core.errors import ArchitectureError, UnknownArchitecture
from blox_core.space import SPACE_SIZE, Architecture, index_of, index_of_hash

_HASH = re.compile(r"[0-9a-fA-F]{32}")
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


def parse_architecture(text: str) -> Architecture:
    """Return the architecture of an arch index, a model hash or an arch vector.

    Raises click.BadParameter.
    """
    try:
        if _HASH.fullmatch(text):
            return Architecture(index_of_hash(text))
        value = json.loads(text)
        return Architecture(value if isinstance(value, int) else index_of(value))
    except (ArchitectureError, UnknownArchitecture) as error:
        raise click.BadParameter(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(
            f"{text!r:.100}: an arch index such as 18639, a model hash of 32 hex digits, or an arch "
            "vector such as '[[[0],[0,0,1,0]],[[0],[0,0,1,0]],[[0],[0,0,1,0]]]' is allowed"
        ) from error
