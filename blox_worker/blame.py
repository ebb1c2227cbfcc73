"""Whose fault it was that an attempt ended: the job's or the node's. Decided here and nowhere else."""

from __future__ import annotations

from typing import Final

import torch

from blox_core.errors import ExtraMissing
from blox_store.errors import StoreError

# A missing data set (DatasetMissing) and a full disk are OSErrors.
_NODE_FAULTS: Final = (
    OSError,
    MemoryError,
    ExtraMissing,
    StoreError,
    torch.AcceleratorError,
    torch.OutOfMemoryError,
)
# What torch raises as a plain RuntimeError; after a CUDA error no job succeeds in this process.
_NODE_FAULT_TEXTS: Final = ("CUDA error", "cuDNN error", "CUBLAS_STATUS", "DefaultCPUAllocator")


def is_node_fault(error: BaseException) -> bool:
    """Return whether another job would fail on this node too; such an error counts for no job."""
    if isinstance(error, _NODE_FAULTS):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _NODE_FAULT_TEXTS)
