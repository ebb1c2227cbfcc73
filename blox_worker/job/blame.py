"""Whose fault it was that an attempt ended: the job's or the node's. Decided here and nowhere else."""

from __future__ import annotations

import sys
from typing import Final

from blox_core.errors import CannotMeasure, ExtraMissing
from blox_store.errors import SettingsError, StoreError

# A missing data set (DatasetMissing) and a full disk are OSErrors.
_NODE_FAULTS: Final = (
    *(OSError, MemoryError, ExtraMissing, StoreError, SettingsError, CannotMeasure),
)
_TORCH_NODE_FAULTS: Final = ("AcceleratorError", "OutOfMemoryError")
# What torch raises as a plain RuntimeError; after a CUDA error no job succeeds in this process.
_NODE_FAULT_TEXTS: Final = (
    "CUDA error",
    "cuDNN error",
    "CUBLAS_STATUS",
    "DefaultCPUAllocator",
    "No CUDA GPUs are available",
    "NVIDIA driver on your system",  # there is none, or it is too old
    "CUDA driver initialization failed",
    "cudaGetDeviceCount",  # such as 802: the fabric manager has not started yet
    "CUDA unknown error",
)


def is_node_fault(error: BaseException) -> bool:
    """Return whether another job would fail on this node too; such an error counts for no job."""
    if isinstance(error, (*_NODE_FAULTS, *_torch_faults())):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _NODE_FAULT_TEXTS)


def _torch_faults() -> list[type[BaseException]]:
    """Return torch's own types, if it is loaded: without it nothing can have raised them."""
    torch = sys.modules.get("torch")
    return [] if torch is None else [getattr(torch, name) for name in _TORCH_NODE_FAULTS]
