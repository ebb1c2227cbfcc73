"""Sets of arch indices as text, `0-9,77`: what `--indices` takes and a manifest holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blox_core.space.architecture import SPACE_SIZE

_SPAN: Final = re.compile(r"(\d{1,99})(?:-(\d{1,99}))?", re.ASCII)


def spans(indices: Iterable[int]) -> str:
    """Return the text of a set of arch indices; an empty one is the empty text."""
    ordered = np.unique(np.fromiter(indices, np.int64))
    cuts = np.flatnonzero(np.diff(ordered) > 1) + 1
    parts = np.split(ordered, cuts) if ordered.size else []
    return ",".join(f"{p[0]}" if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


def indices_of(text: str) -> NDArray[np.int64]:
    """Return the arch indices of a text that `spans` wrote; raise ValueError for any other."""
    return _parsed(text.split(","), in_order=True) if text else np.empty(0, np.int64)


def parse_indices(text: str) -> list[int]:
    """Return the arch indices of a text that a person wrote, in order and without repetitions.

    Numbers and ranges may overlap and come in any order. Raises ValueError.
    """
    parts = [part.strip() for part in text.split(",")]
    return [int(index) for index in _parsed(parts, in_order=False)]


def _parsed(parts: Iterable[str], *, in_order: bool) -> NDArray[np.int64]:
    found = np.zeros(SPACE_SIZE, np.bool_)
    after = -1
    for part in parts:
        match = _SPAN.fullmatch(part)
        if match is None:
            raise ValueError(f"{part[:40]!r} must be arch indices such as 0-9,77")
        first, last = int(match[1]), int(match[2] or match[1])
        if not after < first <= last < SPACE_SIZE:
            raise ValueError(
                f"{part[:40]!r} must be arch indices from 0 to {SPACE_SIZE - 1}, the smaller first"
            )
        found[first : last + 1] = True
        after = last if in_order else after
    return np.flatnonzero(found)
