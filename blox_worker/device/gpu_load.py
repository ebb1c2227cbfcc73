"""How the GPU of a worker is used, as NVIDIA's management library says.

It is for whoever watches a cluster: whatever ails the driver, no job is to fail for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from blox_worker.device.gpus import CPU, VISIBLE

_PERCENT: Final = 100
_UUID_PREFIXES: Final = ("GPU-", "MIG-")


@dataclass(frozen=True, kw_only=True)
class GpuLoad:
    """The use of one GPU, None where nobody knows; `utilisation` is 0 to 1.

    Utilisation is the share of the driver's last sample, 1 s at most, in which any kernel ran.
    """

    utilisation: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None


def gpu_load(device: str) -> GpuLoad:
    """Return how the GPU of this process is used, which CUDA_VISIBLE_DEVICES names by its UUID.

    All is None on a CPU, without a driver, where it does not answer, and for a GPU that is named
    otherwise: CUDA may count them in another order than the driver.
    """
    uuid, _, others = os.environ.get(VISIBLE, "").partition(",")
    if device == CPU or others or not uuid.startswith(_UUID_PREFIXES):
        return GpuLoad()
    import pynvml  # here, because most processes have no use for it

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return GpuLoad()
    try:
        return _load(uuid)
    except pynvml.NVMLError:
        return GpuLoad()
    finally:
        pynvml.nvmlShutdown()


def _load(uuid: str) -> GpuLoad:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    # Each by itself: a share of a GPU (MIG) knows its memory and not its utilisation.
    rates = _answer(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle))
    memory = _answer(lambda: pynvml.nvmlDeviceGetMemoryInfo(handle))
    return GpuLoad(
        utilisation=None if rates is None else rates.gpu / _PERCENT,
        memory_used_bytes=None if memory is None else memory.used,
        memory_total_bytes=None if memory is None else memory.total,
    )


def _answer(question: Callable[[], Any]) -> Any:
    import pynvml

    try:
        return question()
    except pynvml.NVMLError:
        return None
