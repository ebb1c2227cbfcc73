"""The best architectures of a release by one figure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blox_store.dataset.arch_argument import is_whole
from blox_store.errors import QueryError

# Queries by which architectures are ranked, by whether a larger value is the better one.
LARGER_IS_BETTER: Final = {
    "val_acc": True,
    "val_top5": True,
    "val_loss": False,
    "train_acc": True,
    "train_top5": True,
    "train_loss": False,
    "test_acc": True,
    "test_top5": True,
    "test_loss": False,
    "train_time": False,
    "params": False,
    "flops": False,
    "latency": False,
}


class Ranked(NamedTuple):
    """Architectures from the best on: arch indices (k,) and their values (k,)."""

    indices: NDArray[np.int64]
    values: NDArray[Any]


def checked_count(k: Any) -> int:
    """Return a number of architectures; raise QueryError unless it is an integer of 0 or more."""
    if not is_whole(k) or k < 0:
        raise QueryError(f"the best {k!r} architectures: an integer of 0 or more is allowed")
    return int(k)


def checked_query(by: Any) -> str:
    """Return the name of a query to rank by; raise QueryError for any other."""
    if not isinstance(by, str) or by not in LARGER_IS_BETTER:
        raise QueryError(f"best by {by!r}: {', '.join(LARGER_IS_BETTER)} are allowed")
    return by


def ranked(indices: NDArray[np.int64], values: NDArray[Any], by: str, k: int) -> Ranked:
    """Return the first k of architectures in order of their values; `indices` have to ascend.

    Of equal values the smaller arch index comes first; NaN comes last.
    """
    order = np.argsort(-values if LARGER_IS_BETTER[by] else values, kind="stable")[:k]
    return Ranked(indices[order], values[order])
