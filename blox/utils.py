"""Nested sequences, such as arch vectors, under their published names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, tee
from math import prod
from typing import Any

__all__ = [
    "copy_structure",
    "count",
    "flatten",
    "freeze",
    "get_first_n",
    "get_total_point",
    "pairwise",
    "recursive_iter",
]


def recursive_iter(seq: Iterable[Any]) -> Iterator[Any]:
    """Yield all that is in nested sequences and is no list or tuple itself, the first one first."""
    for item in seq:
        if isinstance(item, (list, tuple)):
            yield from recursive_iter(item)
        else:
            yield item


def flatten(seq: Iterable[Any]) -> list[Any]:
    """Return all that is in nested sequences as one list."""
    return list(recursive_iter(seq))


def freeze(seq: Any) -> Any:
    """Return nested lists as tuples, which a set or the keys of a dict can hold."""
    return tuple(map(freeze, seq)) if isinstance(seq, (list, tuple)) else seq


def copy_structure(data: Iterable[Any], shape: Sequence[Any]) -> list[Any]:
    """Return flat data as lists that are nested as those of `shape`; undoes `flatten`.

    Raises ValueError unless there is an item for each of `shape`.
    """
    items = list(data)
    wanted = len(flatten(shape))
    if len(items) != wanted:
        raise ValueError(f"{len(items)} items for a shape of {wanted}: there must be one for each")
    return _nested(iter(items), shape)


def _nested(items: Iterator[Any], shape: Sequence[Any]) -> list[Any]:
    return [
        _nested(items, part) if isinstance(part, (list, tuple)) else next(items) for part in shape
    ]


def count(seq: Iterable[Any]) -> int:
    """Return how many items something yields, which is then used up."""
    return sum(1 for _ in seq)


def get_first_n(seq: Iterable[Any], n: int) -> list[Any]:
    """Return the first n items, or all where there are fewer."""
    return list(islice(seq, n))


def get_total_point(ss: Iterable[Any]) -> int:
    """Return how many arch vectors a search space has, of `blox.search_space.get_search_space`."""
    return prod(recursive_iter(ss))


def pairwise(seq: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each item with the one behind it."""
    first, second = tee(seq)
    next(second, None)
    return zip(first, second, strict=False)
