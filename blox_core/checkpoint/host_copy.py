"""Copies in main memory of what lies on a GPU, made beside the GPU's other work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor


def work_so_far(tensors: Iterable[Tensor]) -> torch.cuda.Event | None:
    """Return the event that all work is done which this thread has queued for a GPU until now.

    It is of the GPU on which tensors lie; None if none of them lies on one.
    """
    device = next((tensor.device for tensor in tensors if _is_on_gpu(tensor)), None)
    if device is None:
        return None
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def host_copies(
    parts: Sequence[Mapping[str, Tensor]], made_by: torch.cuda.Event | None
) -> list[dict[str, Tensor]]:
    """Return the tensors of each part in main memory; a tensor that is in several is copied once.

    Those that lie there are themselves returned. Others, which have their values after `made_by`,
    are copied while the GPU does what was queued after it; nothing may change them meanwhile.
    """
    distinct = {id(tensor): tensor for part in parts for tensor in part.values()}
    copies = distinct if made_by is None else _copies(distinct, made_by)
    return [{name: copies[id(tensor)] for name, tensor in part.items()} for part in parts]


def _copies(tensors: Mapping[int, Tensor], made_by: torch.cuda.Event) -> dict[int, Tensor]:
    # Tensors need no record_stream: they are referred to until the stream has copied them.
    stream = torch.cuda.Stream(made_by.device)  # type: ignore[no-untyped-call]
    stream.wait_event(made_by)
    with torch.cuda.stream(stream):
        copies = {key: _queue_copy(tensor) for key, tensor in tensors.items()}
    stream.synchronize()
    return copies


def _queue_copy(tensor: Tensor) -> Tensor:
    """Queue a copy; only one into pinned memory does not wait for the GPU."""
    if not _is_on_gpu(tensor):
        return tensor
    return _pinned_like(tensor).copy_(tensor, non_blocking=True)


def _pinned_like(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="cpu", pin_memory=True)


def _is_on_gpu(tensor: Tensor) -> bool:
    return tensor.is_cuda
