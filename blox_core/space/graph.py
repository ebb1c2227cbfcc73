"""The computational graph of an architecture, and the published hash over it.

Vertices are `input`, then for each stage its ops and its reduction, then `output`; an edge leads
from a vertex to one that takes its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Final

from blox_core.space.architecture import Cell

Label = int

INPUT: Final[Label] = -1
OUTPUT: Final[Label] = -2
REDUCTION: Final[Label] = 3
LABELS_PER_STAGE: Final = 4  # three ops and the reduction
_EMPTY: Final = md5(usedforsecurity=False)  # a copy is made in a third of the time of a new one


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph with labelled vertices, `input` first and `output` last.

    The label of op k of stage s is `k + 4 * s`, of a reduction `3 + 4 * s`, of the input -1 and of
    the output -2; `successors[v]` are the vertices that take the value of v, in ascending order.
    """

    labels: tuple[Label, ...]
    successors: tuple[tuple[int, ...], ...]

    def predecessors(self) -> list[list[int]]:
        """Return for each vertex those whose value it takes, in ascending order."""
        taken: list[list[int]] = [[] for _ in self.labels]
        for vertex, successors in enumerate(self.successors):
            for successor in successors:
                taken[successor].append(vertex)
        return taken


def model_graph(cells: Iterable[Cell]) -> Graph:
    """Return the graph of (op1, op2, prev, input, skip) for each stage, dead vertices included."""
    labels, edges = [INPUT], set()
    stage_input = 0
    for stage, (op1, op2, prev, from_input, skip) in enumerate(cells):
        first, second, reduction = len(labels), len(labels) + 1, len(labels) + 2
        labels += [label + LABELS_PER_STAGE * stage for label in (op1, op2, REDUCTION)]
        edges.add((stage_input, first))
        if prev:
            edges.add((first, second))
        if from_input:
            edges.add((stage_input, second))
        edges.add((second, reduction))
        if skip:
            edges.add((first, reduction))
        stage_input = reduction
    edges.add((stage_input, len(labels)))
    labels.append(OUTPUT)
    successors: list[list[int]] = [[] for _ in labels]
    for start, end in sorted(edges):
        successors[start].append(end)
    return Graph(tuple(labels), tuple(map(tuple, successors)))


def minimal(graph: Graph) -> Graph | None:
    """Return the graph without vertices off every path from input to output, None without a path."""
    kept = sorted(_alive(graph))
    if not kept:
        return None
    number = {vertex: new for new, vertex in enumerate(kept)}
    return Graph(
        tuple(graph.labels[vertex] for vertex in kept),
        tuple(tuple(number[s] for s in graph.successors[v] if s in number) for v in kept),
    )


def without_dead_edges(graph: Graph) -> Graph | None:
    """Return the graph in which vertices off every path have no edge, None without a path."""
    alive = _alive(graph)
    if not alive:
        return None
    edges = enumerate(graph.successors)
    return Graph(
        graph.labels, tuple(tuple(s for s in ends if {v, s} <= alive) for v, ends in edges)
    )


def graph_hash(graph: Graph) -> str:
    """Return the published hash of a graph, 32 hex digits.

    Source: the hash of the published Blox, restated in `docs/reference/search-space.md`.
    """
    predecessors = graph.predecessors()
    digests = [
        _md5(str((float(len(graph.successors[v])), float(len(predecessors[v])), label)))
        for v, label in enumerate(graph.labels)
    ]
    for _ in graph.labels:
        digests = [
            _md5(_joined(digests, predecessors[v]) + "|" + _joined(digests, successors) + "|" + own)
            for v, (own, successors) in enumerate(zip(digests, graph.successors, strict=True))
        ]
    return _md5(str(sorted(digests)))


def _alive(graph: Graph) -> set[int]:
    """Return the vertices on paths from input to output."""
    last = len(graph.labels) - 1
    return _reached(graph.successors, 0) & _reached(graph.predecessors(), last)


def _reached(neighbours: Sequence[Sequence[int]], start: int) -> set[int]:
    reached, waiting = {start}, [start]
    while waiting:
        new = set(neighbours[waiting.pop()]) - reached
        reached |= new
        waiting.extend(new)
    return reached


def _joined(digests: list[str], vertices: Sequence[int]) -> str:
    if len(vertices) == 1:  # as most are, and half of all the time
        return digests[vertices[0]]
    return "".join(sorted([digests[vertex] for vertex in vertices]))


def _md5(text: str) -> str:
    digest = _EMPTY.copy()
    digest.update(text.encode())
    return digest.hexdigest()
