"""The search space under its published names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from blox_core import space
from blox_core.space import ArchVec, raw_arch_vec
from blox_core.space.raw_arch_vec import arch_vec_to_names
from blox_store.release.header import search_space

__all__ = [
    "arch_vec_to_names",
    "get_all_architectures",
    "get_model_hash",
    "get_random_architectures",
    "get_search_space",
    "get_unique_architectures",
]


def get_model_hash(
    arch_vec: Sequence[Any], ops: Sequence[str] | None = None, minimize: bool = True
) -> str | None:
    """Return the model hash of any raw arch vector, None if a cell has no path to its output.

    `ops` names the ops that the numbers in `arch_vec` stand for; without `minimize` the hash is
    over the graph with all its vertices. Raises ArchitectureError for what is no arch vector.
    """
    return raw_arch_vec.raw_model_hash(arch_vec, ops, minimize)


def get_all_architectures() -> Iterator[ArchVec]:
    """Yield the 373,248 raw arch vectors, also invalid ones; the first position is fastest."""
    return raw_arch_vec.all_raw_arch_vecs()


def get_unique_architectures() -> list[ArchVec]:
    """Return the canonical arch vectors of all 91,125 architectures in the order of their index."""
    return [space.arch_vec(index) for index in range(space.SPACE_SIZE)]


def get_random_architectures(n: int, seed: int | None = None) -> list[ArchVec]:
    """Return `n` distinct canonical arch vectors, others at every call unless there is a seed.

    Raises ArchitectureError unless 0 <= n <= 91,125.
    """
    return [space.arch_vec(index) for index in space.random_indices(n, seed)]


def get_search_space() -> list[Any]:
    """Return the number of choices at each position of an arch vector."""
    return list(search_space()["shape"])
