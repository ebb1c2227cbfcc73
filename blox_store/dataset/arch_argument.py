"""The `arch` argument of queries: one architecture in three spellings, or many in one of them.

| argument | means |
|---|---|
| lists or tuples nested three deep | an arch vector, any valid raw one |
| an int or numpy integer | an arch index |
| a string | a model hash |
| a list, tuple, range or array of integers | many arch indices |
| a list, tuple or array of strings | many model hashes |
| lists or tuples nested four deep | many arch vectors |
| an array or pandas Series of objects | what the lists in its place would mean |

An arch vector has numbers at its third level, and a sequence of them has them at its fourth, so that
none is ever taken for the other: three arch vectors are no arch vector. A graph is an argument of its
own, `graph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import ArchitectureError, UnknownArchitecture
from blox_core.space import SPACE_SIZE, checked_index, index_of, index_of_hash
from blox_core.space.graph import graph_hash, minimal
from blox_core.space.graph_matrix import graph_of

Arch: TypeAlias = Any
# What a type checker can tell apart; anything else that the table above lists is taken, too.
OneArch: TypeAlias = int | np.integer[Any] | str | Sequence[Sequence[Sequence[int]]]
Archs: TypeAlias = NDArray[Any] | range | list[Any] | tuple[Any, ...]
Indices: TypeAlias = NDArray[np.intp]

_NESTS = (list, tuple)
_ALLOWED = (
    "an arch vector, an arch index, a model hash or a one-dimensional sequence of one of these"
)


def resolve(arch: Arch) -> int | Indices:
    """Return the arch index of one architecture, or the arch indices (n,) of many.

    Raises ArchitectureError for what denotes no architecture and UnknownArchitecture for a model
    hash that none has.
    """
    if isinstance(arch, _NESTS) and len(arch) and isinstance(arch[0], _NESTS):
        return _index_of_nest(arch)
    if getattr(arch, "dtype", None) == object and np.ndim(arch):
        return resolve(_plain(arch))
    if isinstance(arch, str):
        return index_of_hash(arch)
    if isinstance(arch, (list, tuple, range)) or (hasattr(arch, "__array__") and np.ndim(arch)):
        return _indices(arch)
    if not hasattr(arch, "__index__"):
        raise ArchitectureError(f"architecture {arch!r}: {_ALLOWED} is allowed")
    return checked_index(arch)


def resolve_one(arch: Arch) -> int:
    """Return the arch index of one architecture; raise as `resolve`, also for a sequence."""
    index = resolve(arch)
    if not isinstance(index, int):
        raise ArchitectureError(f"{len(index)} architectures at once: only one is allowed here")
    return index


def index_of_graph(graph: Any) -> int | None:
    """Return the arch index of a graph, None if no architecture has it.

    `graph` is `(matrix, labels)`, or `((matrix, labels), original)` as `get_model_graph` returns
    it, minimised or not. Raises ArchitectureError for anything else.
    """
    if not isinstance(graph, (tuple, list)) or len(graph) != 2:
        raise ArchitectureError(
            f"graph of type {type(graph).__name__}: what get_model_graph returns is allowed, or "
            "the pair of an adjacency matrix and labels"
        )
    matrix, labels = graph[0] if isinstance(graph[0], tuple) else graph
    smallest = minimal(graph_of(matrix, labels))
    try:
        return None if smallest is None else index_of_hash(graph_hash(smallest))
    except UnknownArchitecture:
        return None


def is_whole(number: Any) -> bool:
    """Return whether an argument is an integer, Python's or NumPy's, which True is not."""
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool)


def _plain(value: Any) -> Any:
    """Return arrays of objects, and arrays within, as lists of plain values."""
    if isinstance(value, _NESTS) or (hasattr(value, "__array__") and np.ndim(value)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _index_of_nest(nest: Sequence[Any]) -> int | Indices:
    try:
        return index_of(nest)
    except ArchitectureError:
        if not _is_four_deep(nest):
            raise
    return np.array([_index_of_item(position, item) for position, item in enumerate(nest)], np.intp)


def _is_four_deep(nest: Sequence[Any]) -> bool:
    level: Any = nest
    for _ in range(3):
        if not level or not isinstance(level[0], _NESTS):
            return False
        level = level[0]
    return True


def _index_of_item(position: int, arch_vec: Any) -> int:
    try:
        return index_of(arch_vec)
    except ArchitectureError as error:
        raise ArchitectureError(f"item {position} of the arch vectors: {error}") from error


def _indices(archs: Any) -> Indices:
    try:
        held = np.asarray(archs)
    except ValueError as error:
        raise ArchitectureError(f"architectures {archs!r}: {_ALLOWED} is allowed") from error
    if not held.size:
        return np.zeros(0, np.intp)
    # NumPy makes strings of the numbers beside them: the items themselves say what they are.
    items = archs if isinstance(archs, _NESTS) else held.tolist() if held.dtype.kind in "UO" else ()
    if held.ndim == 1 and items and all(isinstance(item, str) for item in items):
        return np.array([index_of_hash(item) for item in items], np.intp)
    return _checked_indices(held)


def _checked_indices(indices: NDArray[Any]) -> Indices:
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ArchitectureError(
            f"architectures as an array of {indices.dtype} with shape {indices.shape}: "
            f"{_ALLOWED} is allowed"
        )
    outside = (indices < 0) | (indices >= SPACE_SIZE)
    if outside.any():
        checked_index(indices[outside][0])
    return indices.astype(np.intp, copy=False)
