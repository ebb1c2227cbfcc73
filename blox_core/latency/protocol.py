"""How the latency of an architecture is measured: every number of it, in one value.

A protocol describes; it builds no model and needs no torch. `docs/explanation/latency.md` has the
reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Final

from blox_core.errors import LatencyError
from blox_core.recipe.shape import Classes, ModelShape, Resolution, StemChannels
from blox_core.record import Record
from blox_core.rules import Count, Flag, float_where, int_from, one_of

LATENCY: Final = "latency"  # the trainer of runs that measure, and train nothing

# Changes when latencies may, and only then.
LATENCY_REVISION: Final = 1

TORCH_CPU: Final = "torch-cpu"
TORCH_CUDA: Final = "torch-cuda"
ONNXRUNTIME_CPU: Final = "onnxruntime-cpu"
COMPILE_CPU: Final = "torch-compile-cpu"
COMPILE_CUDA: Final = "torch-compile-cuda"

# Of each backend, the types that it computes in.
_ON_CPU: Final = ("fp32", "bf16")
_ON_CUDA: Final = ("fp32", "tf32", "bf16", "fp16")
PRECISIONS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        TORCH_CPU: _ON_CPU,
        TORCH_CUDA: _ON_CUDA,
        ONNXRUNTIME_CPU: ("fp32",),
        COMPILE_CPU: _ON_CPU,
        COMPILE_CUDA: _ON_CUDA,
    }
)
BACKENDS: Final = tuple(PRECISIONS)


@dataclass(frozen=True, kw_only=True)
class LatencyProtocol(Record, noun="latency protocol", error=LatencyError):
    """Every number of a measurement; LatencyError names the field, the value and what is allowed.

    A run is one call of the model in evaluation mode on `batch` images of `resolution` pixels a
    side. `threads` compute it, kept on as many cores; for a GPU they start its kernels, on any
    core, or replay a recording of them with `cuda_graphs`. Warming up takes `least_warm_up` to
    `most_warm_up` runs, until the medians of the two halves of the last `least_warm_up` differ by
    at most `warm_up_bound` of the smaller one. Then `timed_runs` follow. They are stable if
    warming up got that far, their interquartile range is at most `stability_bound` of their
    median, and, on a CPU, others had the calling thread's core for at most that share of their
    time.
    """

    backend: Annotated[str, one_of(*BACKENDS)]
    precision: Annotated[str, one_of(*_ON_CUDA)]
    batch: Count
    resolution: Resolution
    classes: Classes
    stem_channels: StemChannels
    threads: Count
    channels_last: Flag
    cuda_graphs: Flag
    least_warm_up: Annotated[int, int_from(2)]  # two halves are compared
    most_warm_up: Annotated[int, int_from(2)]
    warm_up_bound: Annotated[float, float_where("above 0", lambda x: x > 0)]
    timed_runs: Count
    stability_bound: Annotated[float, float_where("above 0", lambda x: x > 0)]

    def _check_together(self) -> None:
        if self.precision not in PRECISIONS[self.backend]:
            allowed = f"one of {', '.join(PRECISIONS[self.backend])} on {self.backend}"
            raise self._refusal("precision", self.precision, allowed)
        if self.channels_last and self.backend == ONNXRUNTIME_CPU:
            raise self._refusal("channels_last", True, f"False on {self.backend}")
        if self.cuda_graphs and not self.on_cuda:
            raise self._refusal("cuda_graphs", True, f"False on {self.backend}")
        if self.most_warm_up < self.least_warm_up:
            allowed = f"an integer of least_warm_up = {self.least_warm_up} or more"
            raise self._refusal("most_warm_up", self.most_warm_up, allowed)

    def __str__(self) -> str:
        """Say what is measured, and how, in few words: not every field."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return (
            f"{self.backend}, {self.precision}, {threads}, batch {self.batch} of {self.resolution} x "
            f"{self.resolution}, {self.classes} classes, {self.stem_channels} channels in stage 1"
        )

    @property
    def on_cuda(self) -> bool:
        """Whether a GPU computes."""
        return self.backend in (TORCH_CUDA, COMPILE_CUDA)

    @property
    def compiled(self) -> bool:
        """Whether torch's compiler makes the model's blocks."""
        return self.backend in (COMPILE_CPU, COMPILE_CUDA)

    @property
    def shape(self) -> ModelShape:
        """The shape of the models."""
        return ModelShape(
            stem_channels=self.stem_channels, classes=self.classes, resolution=self.resolution
        )


def preset(backend: str) -> LatencyProtocol:
    """Return the usual protocol of a backend; raise LatencyError if there is none of this name."""
    if backend not in PRESETS:
        raise LatencyError(f"latency backend {backend!r}: one of {', '.join(PRESETS)} is allowed")
    return PRESETS[backend]


_TORCH_CPU: Final = LatencyProtocol(
    backend=TORCH_CPU,
    precision="fp32",
    batch=1,
    resolution=32,
    classes=100,
    stem_channels=32,
    threads=1,
    channels_last=True,
    cuda_graphs=False,
    least_warm_up=10,
    most_warm_up=100,
    warm_up_bound=0.05,
    timed_runs=30,
    stability_bound=0.1,
)
_TORCH_CUDA: Final = replace(
    _TORCH_CPU,
    backend=TORCH_CUDA,
    precision="tf32",
    cuda_graphs=True,
    least_warm_up=20,
    most_warm_up=1_000,
    timed_runs=200,
)

PRESETS: Final[Mapping[str, LatencyProtocol]] = MappingProxyType(
    {
        TORCH_CPU: _TORCH_CPU,
        TORCH_CUDA: _TORCH_CUDA,
        ONNXRUNTIME_CPU: replace(_TORCH_CPU, backend=ONNXRUNTIME_CPU, channels_last=False),
        COMPILE_CPU: replace(_TORCH_CPU, backend=COMPILE_CPU),
        COMPILE_CUDA: replace(_TORCH_CUDA, backend=COMPILE_CUDA),
    }
)
