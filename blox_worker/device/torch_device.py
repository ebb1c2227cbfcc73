"""The torch device of a worker."""

from __future__ import annotations

from blox_worker.errors import DeviceMissing


def checked_device(name: str | None) -> str:
    """Return the name of a torch device that is there: CUDA's if there is one and none is named.

    Raises DeviceMissing for a name that is no device, and for a GPU that is not there, or on which
    CUDA does not start.
    """
    if name == "cpu":
        return name
    import torch  # here, so that what does not train is light

    gpus = torch.cuda.device_count()
    if name is None:
        return _started("cuda") if gpus else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is not None and device.type == "cpu":
        return name
    if device is not None and device.type == "cuda" and (device.index or 0) < gpus:
        return _started(name)
    allowed = ["cpu", *(f"cuda:{number}" for number in range(gpus))]
    raise DeviceMissing(
        f"device {name!r}: this machine has {', '.join(allowed)}; choose one by --device"
    )


def _started(name: str) -> str:
    """Return the name of a GPU once CUDA has started: GPUs are counted without it."""
    import torch

    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, torch.cuda.DeferredCudaCallError) as error:
        reason, _, _ = str(error).partition("\n")
        raise DeviceMissing(
            f"device {name!r}: CUDA does not start: {reason}; see what nvidia-smi says, or choose "
            "another device by --device"
        ) from error
    return name
