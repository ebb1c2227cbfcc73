"""A measurement: a model is built, made ready, warmed up and timed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import torch
from torch import Tensor

from blox_core.dimensions import IMAGE_CHANNELS
from blox_core.errors import LatencyError
from blox_core.latency.backends import ready
from blox_core.latency.measurement import LatencyMeasurement
from blox_core.latency.pinning import enough_cores, pinned
from blox_core.latency.protocol import LatencyProtocol
from blox_core.latency.this_device import torch_device
from blox_core.latency.timing import time_runs
from blox_core.model import Network, build_model
from blox_core.numerics import switched
from blox_core.randomness import Stream, seeded_torch
from blox_core.space import Architecture

Subject = int | Sequence[Any] | Network

_SEED: Final = 0  # of weights and images, of whose values times know nothing


def measure(
    subject: Subject, protocol: LatencyProtocol, *, should_stop: Callable[[], bool] = lambda: False
) -> LatencyMeasurement:
    """Return the latency of an arch index, an arch vector, or a network, which is left as it is.

    The process's threads, their cores and torch's switches are the protocol's meanwhile and as
    before afterwards: a process measures one model at a time. Raises ArchitectureError for no
    architecture, LatencyError for a network that is not of the protocol's sizes, CannotMeasure
    without a GPU or with too few cores, ExtraMissing and CompilationFailed for want of software,
    and MeasurementStopped once `should_stop`, which is looked at before each run, says so.
    """
    device = torch_device(protocol)
    model = _network(subject, protocol)
    if not protocol.on_cuda:
        enough_cores(protocol.threads)
    with switched(
        device,
        precision=protocol.precision,
        threads=protocol.threads,
        deterministic=False,
        compiled=protocol.compiled,
    ):
        run = ready(model, noise_images(protocol), protocol)
        if protocol.compiled:
            run()  # which compiles: several kernels at a time where there are cores
        with _kept_in_place(protocol):
            return time_runs(run, protocol, should_stop=should_stop)


def _kept_in_place(protocol: LatencyProtocol) -> AbstractContextManager[None]:
    """Return what keeps a CPU's threads on their cores while they are timed.

    Measurements of several GPUs side by side would share the first core.
    """
    return nullcontext() if protocol.on_cuda else pinned(protocol.threads)


def noise_images(protocol: LatencyProtocol) -> Tensor:
    """Return images of noise: float32 (batch, 3, resolution, resolution)."""
    shape = (protocol.batch, IMAGE_CHANNELS, protocol.resolution, protocol.resolution)
    return torch.randn(shape, generator=torch.Generator().manual_seed(_SEED))


def _network(subject: Subject, protocol: LatencyProtocol) -> Network:
    """Return the network to be measured, one of its own."""
    if isinstance(subject, Network):
        _check_sizes(subject, protocol)
        return copy.deepcopy(subject)
    vector = subject if isinstance(subject, Sequence) else Architecture(subject).arch_vec
    with seeded_torch(_SEED, Stream.INITIALISATION):
        return build_model(vector, protocol.classes, protocol.stem_channels)


def _check_sizes(network: Network, protocol: LatencyProtocol) -> None:
    convolution: Any = network.stem.get_submodule("0")
    linear: Any = network.classifier.get_submodule("2")
    found = (linear.out_features, convolution.out_channels)
    if found != (protocol.classes, protocol.stem_channels):
        raise LatencyError(
            f"network of {found[0]} classes and {found[1]} stem channels: one of the latency "
            f"protocol's {protocol.classes} and {protocol.stem_channels} is allowed"
        )
