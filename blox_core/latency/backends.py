"""A model made ready to be run by a backend; each run gives its milliseconds."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from blox_core.extras import optional_module
from blox_core.latency.protocol import ONNXRUNTIME_CPU, LatencyProtocol
from blox_core.latency.timing import Run, Timed
from blox_core.model import Network
from blox_core.model.compiled import compile_blocks
from blox_core.training.replay import record_graph

Forward = Callable[[], Any]

TYPES: Final = MappingProxyType(
    {
        "fp32": torch.float32,
        "tf32": torch.float32,
        "bf16": torch.bfloat16,
        "fp16": torch.float16,
    }
)
_EXTRA: Final = "latency"
_NS_PER_MS: Final = 1e6
_ERRORS_ONLY: Final = 3  # of ONNX Runtime's levels of severity


def ready(model: Network, images: Tensor, protocol: LatencyProtocol) -> Run:
    """Return runs of a model, which becomes the backend's, on images (batch x 3 x H x W).

    Raises ExtraMissing without ONNX Runtime where that is the backend.
    """
    model.eval()
    if protocol.backend == ONNXRUNTIME_CPU:
        return _by_clock(onnx_forward(model, images, protocol))
    forward = torch_forward(model, images, protocol)
    if not protocol.on_cuda:
        return _by_clock(forward)
    return _by_events(record_graph(forward, ()) if protocol.cuda_graphs else forward)


def torch_forward(
    model: Network, images: Tensor, protocol: LatencyProtocol
) -> Callable[[], Tensor]:
    """Return the call of a model that is moved to the protocol's device, type and layout."""
    if protocol.compiled:
        compile_blocks(model, deterministic=False)
    place: dict[str, Any] = {
        "device": "cuda" if protocol.on_cuda else "cpu",
        "dtype": TYPES[protocol.precision],
        "memory_format": torch.channels_last if protocol.channels_last else torch.contiguous_format,
    }
    model, images = model.to(**place), images.to(**place)

    @torch.inference_mode()
    def forward() -> Tensor:
        logits: Tensor = model(images)
        return logits

    return forward


def onnx_forward(
    model: Network, images: Tensor, protocol: LatencyProtocol
) -> Callable[[], list[Any]]:
    """Return the call of a model that was exported to ONNX, in a session of ONNX Runtime."""
    runtime = optional_module("onnxruntime", package="onnxruntime", extra=_EXTRA)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = protocol.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    session = runtime.InferenceSession(
        exported(model, images), options, providers=["CPUExecutionProvider"]
    )
    given = {session.get_inputs()[0].name: images.numpy()}
    return lambda: list(session.run(None, given))


def exported(model: Network, images: Tensor) -> bytes:
    """Return a model as ONNX, for images of this shape alone.

    By torch's older exporter: the newer one gives a model of the same speed after ten times as
    long, see decision 17.
    """
    optional_module("onnx", package="onnx", extra=_EXTRA)
    content: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is the older one
        torch.onnx.export(model, (images,), content, dynamo=False)
    exported_bytes: bytes = content.getvalue()
    return exported_bytes


def _by_clock(forward: Forward) -> Run:
    def run() -> Timed:
        core_start, start = time.thread_time_ns(), time.perf_counter_ns()
        forward()
        end, core_end = time.perf_counter_ns(), time.thread_time_ns()
        return Timed((end - start) / _NS_PER_MS, (core_end - core_start) / _NS_PER_MS)

    return run


def _by_events(forward: Forward) -> Run:
    """Time by the GPU's own clock, from the call to the end of the last kernel.

    The GPU is idle when the call comes: the starting of kernels by the CPU is within the time.
    """
    event: Any = torch.cuda.Event
    start, end = event(enable_timing=True), event(enable_timing=True)

    def run() -> Timed:
        start.record()
        forward()
        end.record()
        end.synchronize()
        elapsed_ms = float(start.elapsed_time(end))
        return Timed(elapsed_ms, elapsed_ms)

    return run
