"""Raw arch vectors: all of them, with the names of ops, and with ops that are numbered otherwise.

What is raw need not be canonical, nor valid: a cell may lack a path from its input to its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

from blox_core.errors import ArchitectureError
from blox_core.space.architecture import (
    OPS,
    STAGES,
    ArchVec,
    Cell,
    canonical_cell,
    model_hash,
    raw_architecture,
    raw_cells,
)
from blox_core.space.graph import graph_hash, model_graph


def all_raw_arch_vecs() -> Iterator[ArchVec]:
    """Yield the 373,248 raw arch vectors in the published order: the first position is fastest."""
    return (arch_vec_of(reversed(cells)) for cells in product(list(raw_cells()), repeat=STAGES))


def arch_vec_of(cells: Iterable[Cell]) -> ArchVec:
    """Return the arch vector of the cells of its stages, a new nested list."""
    return [[[op1], list(rest)] for op1, *rest in cells]


def arch_vec_to_names(arch_vec: Sequence[Any], ops: Sequence[str] | None = None) -> list[Any]:
    """Return a raw arch vector with the name of each op in place of its number.

    `ops` and errors as of `raw_cells_of`.
    """
    cells = raw_cells_of(arch_vec, ops)
    return [[[OPS[op1]], [OPS[op2], *flags]] for op1, op2, *flags in cells]


def raw_cells_of(arch_vec: Sequence[Any], ops: Sequence[str] | None = None) -> tuple[Cell, ...]:
    """Return the cells of a raw arch vector in which op number k means `ops[k]`.

    `ops` are names of `blox_core.space.OPS` in any order; None means that very order. Raises
    ArchitectureError for other names, for an op beyond them, and for what is no arch vector.
    """
    cells = raw_architecture(arch_vec)
    if ops is None:
        return cells
    if isinstance(ops, str) or not set(ops) <= set(OPS):
        raise ArchitectureError(f"ops {ops!r}: a list of names from {', '.join(OPS)} is allowed")
    numbers = [OPS.index(name) for name in ops]
    try:
        return tuple((numbers[op1], numbers[op2], p, i, s) for op1, op2, p, i, s in cells)
    except IndexError:
        raise ArchitectureError(
            f"arch vector {arch_vec!r}: op numbers below {len(numbers)} are allowed, the number of "
            f"ops in {list(ops)}"
        ) from None


def raw_model_hash(
    arch_vec: Sequence[Any], ops: Sequence[str] | None = None, minimize: bool = True
) -> str | None:
    """Return the published hash of a raw arch vector, None if a cell has no path.

    Without `minimize` the hash is over the graph with all its vertices, also those that compute
    nothing; it differs from the model hash where there are such. Raises as `raw_cells_of`.
    """
    cells = raw_cells_of(arch_vec, ops)
    if not minimize:
        return graph_hash(model_graph(cells))
    if any(canonical_cell(cell) is None for cell in cells):
        return None
    return model_hash(arch_vec_of(cells))
