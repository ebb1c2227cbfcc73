"""Whose fault it was that an attempt ended: the job's or the node's. Decided here and nowhere else."""

from __future__ import annotations

from typing import Final

from blox_core.errors import ExtraMissing
from blox_store.errors import StoreError

# A missing data set (DatasetMissing) and a full disk are OSErrors.
_NODE_FAULTS: Final = (OSError, MemoryError, ExtraMissing, StoreError)


def is_node_fault(error: BaseException) -> bool:
    """Return whether another job would fail on this node too; such an error counts for no job."""
    return isinstance(error, _NODE_FAULTS)
