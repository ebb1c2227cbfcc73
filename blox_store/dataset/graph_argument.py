"""The `graph` argument of queries: an architecture by its graph."""

from __future__ import annotations

from typing import Any

from blox_core.errors import ArchitectureError, UnknownArchitecture
from blox_core.space import index_of_hash
from blox_core.space.graph import graph_hash, minimal
from blox_core.space.graph_matrix import graph_of


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
