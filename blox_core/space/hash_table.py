"""The model hashes of all 91,125 architectures, as package data that `make_hashes` makes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES: Final = 16
PATH: Final = Path(__file__).with_name("hashes.bin")


@cache
def load() -> bytes:
    """Return the digests of all architectures in index order, 16 bytes each."""
    return PATH.read_bytes()


def digest(index: int) -> bytes:
    """Return the 16 bytes of one architecture's model hash."""
    return load()[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]


@cache
def numbers() -> dict[bytes, int]:
    """Return the arch index of every digest."""
    table = load()
    starts = range(0, len(table), DIGEST_BYTES)
    return {table[at : at + DIGEST_BYTES]: index for index, at in enumerate(starts)}


def halves(digests: NDArray[np.uint8] | None = None) -> NDArray[np.uint64]:
    """Return digests (n, 16), those of all architectures if None, as two numbers each: (n, 2)."""
    held = np.frombuffer(load(), np.uint8) if digests is None else digests
    return np.ascontiguousarray(held, np.uint8).reshape(-1, DIGEST_BYTES).view(np.uint64)


@cache
def first_halves() -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Return the first halves of all digests in ascending order, and the arch index of each.

    No two are equal. Numbers are looked up three times as fast as texts of 16 bytes.
    """
    first = halves()[:, 0]
    order = np.argsort(first)
    return first[order], order
