"""Sets of arch indices as text, `0-9,77`: what `--indices` takes and a manifest holds."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from blox_core.space.architecture import SPACE_SIZE

_SPANS = re.compile(r"(?:[0-9]{1,5}(?:-[0-9]{1,5})?(?:,[0-9]{1,5}(?:-[0-9]{1,5})?)*)?", re.ASCII)


def spans(indices: Iterable[int]) -> str:
    """Return the text of a set of arch indices; an empty one is the empty text."""
    ordered = np.unique(np.fromiter(indices, np.int64))
    cuts = np.flatnonzero(np.diff(ordered) > 1) + 1
    parts = np.split(ordered, cuts) if ordered.size else []
    return ",".join(f"{p[0]}" if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


def indices_of(text: str) -> NDArray[np.int64]:
    """Return the arch indices of a text, in order; ValueError unless it is as `spans` writes it."""
    if _SPANS.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r}: arch indices such as 0-9,77 are allowed")
    found = np.zeros(SPACE_SIZE, np.bool_)
    after = -1
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        start, stop = int(first), int(last or first) + 1
        if not after < start < stop <= SPACE_SIZE:
            raise ValueError(f"{part!r}: arch indices below {SPACE_SIZE} in order are allowed")
        found[start:stop] = True
        after = stop - 1
    return np.flatnonzero(found)
