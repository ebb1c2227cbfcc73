"""How the GPU of a worker is used, as NVIDIA's management library says.

It is for whoever watches a cluster: whatever ails the driver, no job is to fail for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from blox_store.store import WorkerFigures
from blox_worker.device.gpus import CPU, VISIBLE

_PERCENT: Final = 100
_UUID_PREFIXES: Final = ("GPU-", "MIG-")


def gpu_load(device: str) -> WorkerFigures:
    """Return how the GPU of this process is used, which CUDA_VISIBLE_DEVICES names by its UUID.

    All is None on a CPU, without a driver, where it does not answer, and for a GPU that is named
    otherwise: CUDA may count them in another order than the driver. Utilisation is the share of
    the driver's last sample, 1 s at most, in which any kernel ran.
    """
    uuid, _, others = os.environ.get(VISIBLE, "").partition(",")
    if device == CPU or others or not uuid.startswith(_UUID_PREFIXES):
        return WorkerFigures()
    import pynvml  # here, because most processes have no use for it

    try:
        pynvml.nvmlInit()
        try:
            return _load(uuid)
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return WorkerFigures()


def _load(uuid: str) -> WorkerFigures:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    # Each by itself: a share of a GPU (MIG) knows its memory and not its utilisation.
    rates = _answer(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle))
    memory = _answer(lambda: pynvml.nvmlDeviceGetMemoryInfo(handle))
    return WorkerFigures(
        gpu_utilisation=None if rates is None else rates.gpu / _PERCENT,
        gpu_memory_used_bytes=None if memory is None else memory.used,
        gpu_memory_total_bytes=None if memory is None else memory.total,
    )


def _answer(question: Callable[[], Any]) -> Any:
    import pynvml

    try:
        return question()
    except pynvml.NVMLError:
        return None
