"""A graph as an adjacency matrix and readable labels, the form in which it is handed to users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import ArchitectureError
from blox_core.space.architecture import OPS, STAGES
from blox_core.space.graph import INPUT, LABELS_PER_STAGE, OUTPUT, Graph, Label

# ('input', None), ('output', None), or the name of an op or 'reduction' and its stage from 0.
NamedLabel: TypeAlias = tuple[str, int | None]
LabelledMatrix: TypeAlias = tuple[NDArray[np.float64], list[NamedLabel]]

_ENDS: Final[dict[str, Label]] = {"input": INPUT, "output": OUTPUT}
_STAGE_NAMES: Final = (*OPS, "reduction")


def labelled_matrix(graph: Graph) -> LabelledMatrix:
    """Return the adjacency matrix, 1.0 at [a, b] for an edge from a to b, and a label a vertex."""
    matrix = np.zeros((len(graph.labels), len(graph.labels)))
    for start, ends in enumerate(graph.successors):
        matrix[start, list(ends)] = 1.0
    return matrix, [_named(label) for label in graph.labels]


def graph_of(matrix: Any, labels: Sequence[Any]) -> Graph:
    """Return the graph of an adjacency matrix and labels; the inverse of `labelled_matrix`.

    Raises ArchitectureError if the matrix is not square with a label for each row, or a label is
    none that `labelled_matrix` gives.
    """
    try:
        edges = np.asarray(matrix, float)
        numbers = tuple(_number(name, stage) for name, stage in labels)
    except (TypeError, ValueError, KeyError) as error:
        raise ArchitectureError(
            f"no graph ({error}): an adjacency matrix and labels as of get_model_graph are allowed"
        ) from error
    if not numbers or edges.shape != (len(numbers), len(numbers)):
        raise ArchitectureError(
            f"adjacency matrix of shape {edges.shape} with {len(numbers)} labels: "
            "a square one with a label for each row is allowed"
        )
    return Graph(numbers, tuple(tuple(np.flatnonzero(row).tolist()) for row in edges))


def _named(label: Label) -> NamedLabel:
    for name, number in _ENDS.items():
        if label == number:
            return name, None
    stage, op = divmod(label, LABELS_PER_STAGE)
    return _STAGE_NAMES[op], stage


def _number(name: str, stage: int | None) -> Label:
    if stage is None:
        return _ENDS[name]
    if not 0 <= stage < STAGES:
        raise ValueError(f"stage {stage} of 0 to {STAGES - 1}")
    return _STAGE_NAMES.index(name) + LABELS_PER_STAGE * stage
