"""The search space under its published names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from blox.utils import copy_structure, flatten, pairwise
from blox_core import space
from blox_core.errors import ArchitectureError
from blox_core.space import ArchVec, raw_arch_vec
from blox_store.release.header import search_space

__all__ = [
    "all_ops",
    "arch_vec_to_names",
    "copy_structure",
    "default_nodes",
    "default_stages",
    "flatten",
    "get_all_architectures",
    "get_archs_with_zero",
    "get_model_hash",
    "get_random_architectures",
    "get_search_space",
    "get_unique_architectures",
    "ops_no_zero",
    "pairwise",
]

all_ops: Final = list(space.OPS)
ops_no_zero: Final = list(space.OPS)
default_nodes: Final = space.NODES
default_stages: Final = space.STAGES


def get_model_hash(
    arch_vec: Sequence[Any], ops: Sequence[str] | None = None, minimize: bool = True
) -> str | None:
    """Return the model hash of any raw arch vector, None if a cell has no path to its output.

    `ops` names the ops that the numbers in `arch_vec` stand for; without `minimize` the hash is
    over the graph with all its vertices. Raises ArchitectureError for what is no arch vector.
    """
    return raw_arch_vec.raw_model_hash(arch_vec, ops, minimize)


def arch_vec_to_names(arch_vec: Sequence[Any], ops: Sequence[str] | None = None) -> list[Any]:
    """Return a raw arch vector with the name of each op in place of its number.

    `ops` names the ops that the numbers stand for. Raises ArchitectureError for what is no arch
    vector.
    """
    return raw_arch_vec.arch_vec_to_names(arch_vec, ops)


def get_all_architectures(
    ops: Sequence[str] | None = None, nodes: int | None = None, stages: int | None = None
) -> Iterator[ArchVec]:
    """Yield the 373,248 raw arch vectors, also invalid ones; the first position is fastest.

    `ops`, `nodes` and `stages` as of `get_search_space`.
    """
    _numbers(ops, nodes, stages)
    return raw_arch_vec.all_raw_arch_vecs()


def get_unique_architectures(
    ops: Sequence[str] | None = None, nodes: int | None = None, stages: int | None = None
) -> list[ArchVec]:
    """Return the canonical arch vectors of all 91,125 architectures in the order of their index.

    `ops`, `nodes` and `stages` as of `get_search_space`.
    """
    return _arch_vecs(range(space.SPACE_SIZE), ops, nodes, stages)


def get_random_architectures(
    num: int,
    ops: Sequence[str] | None = None,
    nodes: int | None = None,
    stages: int | None = None,
    seed: int | None = None,
) -> list[ArchVec]:
    """Return `num` distinct canonical arch vectors, others at every call unless there is a seed.

    `ops`, `nodes` and `stages` as of `get_search_space`. Raises ArchitectureError unless
    0 <= num <= 91,125.
    """
    return _arch_vecs(space.random_indices(num, seed), ops, nodes, stages)


def get_search_space(
    ops: Sequence[str] | None = None, nodes: int | None = None, stages: int | None = None
) -> list[Any]:
    """Return the number of choices at each position of an arch vector.

    There is one search space. `ops` has the names of its three ops, in the order that numbers in
    arch vectors stand for, `nodes` is 2 and `stages` is 3, or each is None. Raises
    ArchitectureError for anything else.
    """
    _numbers(ops, nodes, stages)
    return list(search_space()["shape"])


def get_archs_with_zero() -> list[ArchVec]:
    """Return the architectures with an op that gives zeros: none, for there is no such op."""
    return []


def _arch_vecs(
    indices: Sequence[int], ops: Sequence[str] | None, nodes: int | None, stages: int | None
) -> list[ArchVec]:
    numbers = _numbers(ops, nodes, stages)
    found = (space.arch_vec(index) for index in indices)
    if ops is None:
        return list(found)
    return [
        [[[numbers[op1]], [numbers[op2], *flags]] for (op1,), (op2, *flags) in a] for a in found
    ]


def _numbers(ops: Sequence[str] | None, nodes: int | None, stages: int | None) -> list[int]:
    """Return the number that each op of `blox_core.space.OPS` has in `ops`."""
    for name, given, only in (("nodes", nodes, space.NODES), ("stages", stages, space.STAGES)):
        if given not in (None, only):
            raise ArchitectureError(f"{name} {given!r}: it must be {only}, as in all architectures")
    names = list(space.OPS if ops is None else ops)
    if isinstance(ops, str) or sorted(names) != sorted(space.OPS):
        raise ArchitectureError(f"ops {ops!r}: it must be a list of {', '.join(space.OPS)}")
    return [names.index(name) for name in space.OPS]
