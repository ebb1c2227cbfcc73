"""The `arch` argument of queries: one architecture in three spellings, or many by arch index.

| argument | means |
|---|---|
| nested lists or tuples | an arch vector, any valid raw one |
| an int or numpy integer | an arch index |
| a string | a model hash |
| a list, tuple, range or array of integers | many arch indices |
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import ArchitectureError
from blox_core.space import SPACE_SIZE, checked_index, index_of, index_of_hash

Arch: TypeAlias = Any
Indices: TypeAlias = NDArray[np.intp]

_ALLOWED = (
    "an arch vector, an arch index, a model hash or a one-dimensional sequence of arch indices"
)


def resolve(arch: Arch) -> int | Indices:
    """Return the arch index of one architecture, or the arch indices (n,) of many.

    Raises ArchitectureError for what denotes no architecture and UnknownArchitecture for a model
    hash that none has.
    """
    if isinstance(arch, (list, tuple)) and len(arch) and isinstance(arch[0], (list, tuple)):
        return index_of(arch)
    if isinstance(arch, str):
        return index_of_hash(arch)
    if isinstance(arch, (list, tuple, range)) or (hasattr(arch, "__array__") and np.ndim(arch)):
        return _checked_indices(arch)
    if not hasattr(arch, "__index__"):
        raise ArchitectureError(f"architecture {arch!r}: {_ALLOWED} is allowed")
    return checked_index(arch)


def resolve_one(arch: Arch) -> int:
    """Return the arch index of one architecture; raise as `resolve`, also for a sequence."""
    index = resolve(arch)
    if not isinstance(index, int):
        raise ArchitectureError(f"{len(index)} architectures at once: only one is allowed here")
    return index


def _checked_indices(archs: Any) -> Indices:
    try:
        indices = np.asarray(archs)
    except ValueError as error:
        raise ArchitectureError(f"architectures {archs!r}: {_ALLOWED} is allowed") from error
    if not indices.size:
        return np.zeros(0, np.intp)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ArchitectureError(
            f"architectures as an array of {indices.dtype} with shape {indices.shape}: "
            f"{_ALLOWED} is allowed"
        )
    outside = (indices < 0) | (indices >= SPACE_SIZE)
    if outside.any():
        checked_index(indices[outside][0])
    return indices.astype(np.intp, copy=False)
