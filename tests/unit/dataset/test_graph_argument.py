"""Graphs as matrices with labels, there and back, and what is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from blox_core.errors import ArchitectureError
from blox_core.space import Architecture, random_indices
from blox_core.space.graph import model_graph
from blox_core.space.graph_matrix import graph_of, labelled_matrix
from blox_store.dataset.arch_argument import index_of_graph

MATRIX, LABELS = labelled_matrix(model_graph(Architecture(54_321).cells))


@pytest.mark.parametrize("index", random_indices(20, seed=3))
def test_there_and_back(index: int) -> None:
    graph = model_graph(Architecture(index).cells)
    matrix, labels = labelled_matrix(graph)
    assert graph_of(matrix, labels) == graph_of(matrix.tolist(), labels) == graph
    assert index_of_graph((matrix, labels)) == index


@pytest.mark.parametrize(
    ("matrix", "labels"),
    [
        (MATRIX, None),
        (MATRIX, [("conv",)] * len(LABELS)),
        (MATRIX, [("pool", 0)] * len(LABELS)),
        (MATRIX, [("input", 0)] * len(LABELS)),
        (MATRIX, [("conv", None)] * len(LABELS)),
        (MATRIX, [("conv", 3)] * len(LABELS)),
        (MATRIX, [("conv", -1)] * len(LABELS)),
        ([["a"]], LABELS[:1]),
        (None, None),
    ],
)
def test_labels_or_numbers_that_no_graph_has(matrix: Any, labels: Any) -> None:
    with pytest.raises(ArchitectureError, match=r"no graph \(.*as of get_model_graph") as error:
        graph_of(matrix, labels)
    assert isinstance(error.value.__cause__, (TypeError, ValueError, KeyError))


@pytest.mark.parametrize(
    ("matrix", "labels"),
    [(MATRIX, LABELS[1:]), (MATRIX[1:], LABELS), (np.zeros(0), []), (np.zeros((0, 0)), [])],
)
def test_a_matrix_that_does_not_fit_its_labels(matrix: Any, labels: Any) -> None:
    with pytest.raises(ArchitectureError, match="adjacency matrix of shape"):
        graph_of(matrix, labels)
