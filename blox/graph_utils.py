"""Graphs of architectures under their published names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from blox.utils import flatten, freeze
from blox_core.space import graph as graphs
from blox_core.space.graph_matrix import LabelledMatrix, graph_of, labelled_matrix
from blox_core.space.raw_arch_vec import raw_cells_of

__all__ = [
    "flatten",
    "freeze",
    "get_model_graph",
    "get_model_graph_np",
    "graph_hash",
    "graph_hash_np",
    "is_empty",
]


def get_model_graph(
    arch_vector: Sequence[Any],
    ops: Sequence[str] | None = None,
    minimize: bool = True,
    keep_dims: bool = False,
) -> tuple[LabelledMatrix | None, LabelledMatrix | None]:
    """Return `(graph, original)`, each an adjacency matrix and the labels of its vertices.

    With `minimize` the vertices off every path from input to output are left out of the graph,
    which is None if nothing is left, and `original` is the whole one; else `original` is None.
    With `keep_dims` they stay in the graph without an edge. `ops` names the ops that the numbers in
    `arch_vector` stand for. Raises ArchitectureError.
    """
    whole = graphs.model_graph(raw_cells_of(arch_vector, ops))
    if not minimize:
        return labelled_matrix(whole), None
    smallest = graphs.without_dead_edges(whole) if keep_dims else graphs.minimal(whole)
    return None if smallest is None else labelled_matrix(smallest), labelled_matrix(whole)


def graph_hash(g: LabelledMatrix) -> str:
    """Return the published hash of a graph, 32 hex digits; of a minimised one the model hash.

    Raises ArchitectureError for what is no adjacency matrix with labels.
    """
    return graphs.graph_hash(graph_of(*g))


def is_empty(g: LabelledMatrix | None) -> bool:
    """Whether a graph has no edge, or there is none."""
    return g is None or not np.any(g[0])


get_model_graph_np = get_model_graph
graph_hash_np = graph_hash
