"""The GPUs of this machine.

The NVIDIA driver is asked by its management library: torch would take memory on every GPU, and
has to be imported only where CUDA_VISIBLE_DEVICES is already set.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blox_store.errors import SettingsError
from blox_worker.errors import DeviceMissing
from blox_worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
CPU: Final = "cpu"
CUDA: Final = "cuda"


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU: its number as the driver counts, its product name, and its UUID."""

    number: int
    name: str
    uuid: str


def inventory(settings: WorkerSettings) -> list[Gpu]:
    """Return the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES where it is set.

    None where there is no NVIDIA driver. Raises DeviceMissing if the driver does not answer, and
    SettingsError for a bad BLOX_GPU_INVENTORY.
    """
    if settings.gpu_inventory is not None:
        return _pretended(settings.gpu_inventory)
    return visible(installed(), os.environ.get(VISIBLE))


def visible(gpus: Sequence[Gpu], environment_value: str | None) -> list[Gpu]:
    """Return the GPUs that a CUDA_VISIBLE_DEVICES of numbers or UUIDs leaves, in its order.

    As in CUDA, what follows an entry that is no GPU is hidden too, and a UUID may be shortened.
    """
    if environment_value is None:
        return list(gpus)
    found: dict[str, Gpu] = {}
    for entry in environment_value.split(","):
        gpu = next((gpu for gpu in gpus if _means(entry.strip(), gpu)), None)
        if gpu is None:
            break
        found[gpu.uuid] = gpu
    return list(found.values())


def _means(entry: str, gpu: Gpu) -> bool:
    return entry == str(gpu.number) or (entry.startswith("GPU-") and gpu.uuid.startswith(entry))


def _pretended(text: str) -> list[Gpu]:
    numbers = list(dict.fromkeys(part.strip() for part in text.split(","))) if text else []
    if not all(number.isdecimal() for number in numbers):
        raise SettingsError(
            f"BLOX_GPU_INVENTORY={text!r}: GPU numbers such as 0,1 are allowed, or nothing for none"
        )
    return [Gpu(number=int(number), name="pretended", uuid=number) for number in numbers]


def installed() -> list[Gpu]:
    """Return all GPUs of this machine, none without a driver; DeviceMissing if it does not answer."""
    import pynvml  # here, because most commands have no use for it

    if not _has_driver():
        return []
    try:
        asked = [_asked(number) for number in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()
    return [gpu for gpu in asked if gpu is not None]


def whole_gpu(share: str) -> str | None:
    """Return the UUID of the GPU of which one with a UUID of `MIG-` is a share; None without a driver.

    Raises DeviceMissing if the driver does not answer, or knows no such share.
    """
    import pynvml

    if not _has_driver():
        return None
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(share)
        uuid: str = pynvml.nvmlDeviceGetUUID(
            pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
        )
    except pynvml.NVMLError as error:
        raise DeviceMissing(
            f"{VISIBLE} has {share!r}, and the NVIDIA driver does not say of which GPU that is a "
            f"share ({error}); give a UUID as 'nvidia-smi -L' shows it"
        ) from error
    finally:
        pynvml.nvmlShutdown()
    return uuid


def _has_driver() -> bool:
    """Return whether there is an NVIDIA driver, which is to be shut down after it was asked."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        return False
    except pynvml.NVMLError as error:
        raise DeviceMissing(
            f"the NVIDIA driver does not answer ({error}); see what nvidia-smi says"
        ) from error
    return True


def _asked(number: int) -> Gpu | None:
    """Return a GPU by its number, None if it has fallen off the bus: the others can do without."""
    import pynvml

    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(number)
        name, uuid = pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetUUID(handle)
    except pynvml.NVMLError as error:
        logger.warning("GPU %d does not answer and is left out: %s", number, error)
        return None
    return Gpu(number=number, name=name, uuid=uuid)


def hidden() -> str:
    """Return in brackets what may hide GPUs."""
    value = os.environ.get(VISIBLE)
    return "" if value is None else f" ({VISIBLE}={value!r} is set)"
