"""Graphs of architectures under their published names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blox_core.space.graph import minimal, model_graph
from blox_core.space.graph_matrix import LabelledMatrix, labelled_matrix
from blox_core.space.raw_arch_vec import raw_cells_of

__all__ = ["get_model_graph"]


def get_model_graph(
    arch_vec: Sequence[Any], ops: Sequence[str] | None = None, minimize: bool = True
) -> tuple[LabelledMatrix | None, LabelledMatrix | None]:
    """Return `(graph, original)`, each an adjacency matrix and the labels of its vertices.

    With `minimize` the vertices off every path from input to output are left out of the graph,
    which is None if nothing is left, and `original` is the whole one; else `original` is None.
    `ops` names the ops that the numbers in `arch_vec` stand for. Raises ArchitectureError.
    """
    whole = model_graph(raw_cells_of(arch_vec, ops))
    if not minimize:
        return labelled_matrix(whole), None
    smallest = minimal(whole)
    return None if smallest is None else labelled_matrix(smallest), labelled_matrix(whole)
