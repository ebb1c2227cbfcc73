"""Measuring latencies: when runs count, what runs, and that a process is left as it was."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from blox_core.errors import (
    ArchitectureError,
    CannotMeasure,
    ExtraMissing,
    LatencyError,
    MeasurementStopped,
)
from blox_core.latency import backends, measuring, pinning, preset, this_device
from blox_core.latency.backends import onnx_forward, ready, torch_forward
from blox_core.latency.measurement import LatencyMeasurement
from blox_core.latency.measuring import measure, noise_images
from blox_core.latency.pinning import pinned, usable_cores
from blox_core.latency.protocol import LatencyProtocol
from blox_core.latency.this_device import device_identity
from blox_core.latency.timing import Timed, time_runs
from blox_core.model import build_model, compiled
from blox_core.model.compiled import blocks_of
from blox_core.training import provenance

INDEX = 18639  # a lone conv in every stage: the quickest
ALL_OPS = [[[2], [1, 1, 1, 1]], [[0], [2, 0, 1, 1]], [[1], [0, 1, 0, 1]]]
SMALL: dict[str, Any] = {
    "batch": 2,
    "resolution": 8,
    "classes": 10,
    "stem_channels": 4,
    "least_warm_up": 4,
    "most_warm_up": 8,
    "timed_runs": 4,
}
TORCH = replace(preset("torch-cpu"), **SMALL)
ONNX = replace(preset("onnxruntime-cpu"), **SMALL)
COMPILED = replace(preset("torch-compile-cpu"), **SMALL)


def timed(protocol: LatencyProtocol, *times_ms: float, share: float = 1.0) -> LatencyMeasurement:
    """Return the figures of runs of these times, for a share of which the thread had its core.

    All of them have to be asked for.
    """
    left = iter([Timed(ms, share * ms) for ms in times_ms])
    measurement = time_runs(left.__next__, protocol)
    assert next(left, None) is None
    return measurement


@pytest.fixture(scope="module")
def exported() -> None:
    """Load what exports models to ONNX Runtime, which takes a second."""
    onnx_forward(build_model(ALL_OPS, 10, 4).eval(), noise_images(ONNX), ONNX)


class TestRuns:
    def test_count_once_they_have_settled(self) -> None:
        measurement = timed(TORCH, 9.0, 7.0, 5.0, 4.0, 4.0, 4.0, 4.0, *(2.0, 1.0, 4.0, 3.0))
        assert (measurement.warm_up_runs, measurement.runs) == (7, 4)
        assert (measurement.median_ms, measurement.iqr_ms, measurement.least_ms) == (2.5, 1.5, 1.0)
        assert not measurement.stable  # they are far apart

    def test_are_stable_where_they_agree(self) -> None:
        measurement = timed(TORCH, *(4.0, 4.0, 4.1, 4.1), *(4.0, 4.0, 4.3, 4.3))
        assert measurement.warm_up_runs == 4
        assert measurement.stable

    def test_count_after_the_longest_warm_up_and_are_not_stable(self) -> None:
        measurement = timed(TORCH, *(2.0**-run for run in range(8)), *(1.0,) * 4)
        assert measurement.warm_up_runs == 8
        assert (measurement.iqr_ms, measurement.stable) == (0.0, False)

    @pytest.mark.parametrize(("share", "stable"), [(0.91, True), (0.89, False)])
    def test_beside_other_work_are_not_stable(self, share: float, stable: bool) -> None:
        assert timed(TORCH, *(4.0,) * 8, share=share).stable == stable

    def test_of_an_odd_number_compare_equal_halves(self) -> None:
        odd = replace(TORCH, least_warm_up=3)
        assert timed(odd, 9.0, 4.0, 4.0, *(4.0,) * 4).stable

    @pytest.mark.parametrize("count", [0, 3, 7])  # of four to warm up, and four that count
    def test_end_where_they_are_asked_to_stop(self, count: int) -> None:
        runs: list[Timed] = []

        def run() -> Timed:
            runs.append(Timed(4.0, 4.0))
            return runs[-1]

        with pytest.raises(MeasurementStopped, match="was asked to stop"):
            time_runs(run, TORCH, should_stop=lambda: len(runs) == count)
        assert len(runs) == count


@pytest.fixture
def as_before() -> Iterator[None]:
    """Check that threads, switches and generators of the process are left as they were."""
    before = state()
    yield
    assert state() == before


def state() -> tuple[Any, ...]:
    backends_: Any = torch.backends
    return (
        torch.get_num_threads(),
        usable_cores(),
        backends_.cudnn.benchmark,
        backends_.cudnn.conv.fp32_precision,
        torch.is_inference_mode_enabled(),
        torch.get_rng_state().tolist(),
    )


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(
    "subject", [INDEX, ALL_OPS, build_model(ALL_OPS, 10, 4)], ids=["index", "vector", "network"]
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_torch(subject: Any, precision: str) -> None:
    measurement = measure(subject, replace(TORCH, precision=precision))
    assert measurement.runs == 4
    assert 4 <= measurement.warm_up_runs <= 8
    assert 0 < measurement.least_ms <= measurement.median_ms


@pytest.mark.usefixtures("as_before", "exported")
def test_onnxruntime() -> None:
    assert measure(INDEX, ONNX).least_ms > 0


@pytest.mark.slow  # the compiler of torch is loaded
@pytest.mark.usefixtures("as_before")
def test_compiled_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stem alone, without generating code, which takes seconds a block."""
    original, options = torch.nn.Module.compile, []

    def compile_without_code(module: torch.nn.Module, **given: Any) -> None:
        options.append(given.pop("options"))
        original(module, backend="aot_eager", **given)

    monkeypatch.setattr(torch.nn.Module, "compile", compile_without_code)
    monkeypatch.setattr(compiled, "blocks_of", lambda model: [*blocks_of(model)][:1])
    torch.compiler.reset()
    assert measure(INDEX, COMPILED).least_ms > 0
    assert [given["deterministic"] for given in options] == [False]


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(("protocol", "before"), [(COMPILED, 1), (TORCH, 0), (ONNX, 0)])
def test_what_is_compiled_is_so_on_all_cores(
    protocol: LatencyProtocol, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores: list[list[int]] = []

    def run() -> Timed:
        cores.append(usable_cores())
        return Timed(4.0, 4.0)

    monkeypatch.setattr(measuring, "ready", lambda *_: run)
    monkeypatch.setattr(measuring, "switched", lambda *_, **given: nullcontext())
    everywhere = usable_cores()
    assert measure(INDEX, protocol).warm_up_runs == 4
    assert cores == [everywhere] * before + [everywhere[:1]] * 8


def test_a_network_is_left_as_it_was() -> None:
    network = build_model(ALL_OPS, 10, 4).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measure(network, replace(TORCH, precision="bf16"))
    assert network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize(
    "protocol",
    [TORCH, replace(TORCH, channels_last=False), pytest.param(ONNX, marks=pytest.mark.slow)],
)
def test_what_is_timed_is_the_model(protocol: LatencyProtocol) -> None:
    network, images = build_model(ALL_OPS, 10, 4).eval(), noise_images(protocol)
    with torch.no_grad():
        expected = network(images)
    if protocol is ONNX:
        (found,) = onnx_forward(network, images, protocol)()
        found = torch.from_numpy(found)
    else:
        found = torch_forward(network, images, protocol)()
    assert found.shape == (2, 10)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("subject", [91_125, [[0]], "18639", 1.5])
def test_no_architecture(subject: Any) -> None:
    with pytest.raises(ArchitectureError):
        measure(subject, TORCH)


@pytest.mark.parametrize("sizes", [(10, 2), (100, 4)])
def test_a_network_of_other_sizes(sizes: tuple[int, int]) -> None:
    message = f"{sizes[0]} classes and {sizes[1]} stem channels: .* protocol's 10 and 4 is allowed"
    with pytest.raises(LatencyError, match=message):
        measure(build_model(ALL_OPS, *sizes), TORCH)


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for action in (device_identity, lambda protocol: measure(INDEX, protocol)):
        with pytest.raises(CannotMeasure, match="'torch-cuda': torch finds no CUDA GPU here; "):
            action(preset("torch-cuda"))


@pytest.mark.parametrize("name", ["onnxruntime", "onnx"])
def test_no_onnxruntime(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ExtraMissing, match=rf"{name} is not installed .*'\.\[latency\]'"):
        measure(INDEX, ONNX)


def test_too_few_cores() -> None:
    with pytest.raises(CannotMeasure, match=r"threads = 1000000: this process may use \d+ cores"):
        measure(INDEX, replace(TORCH, threads=1_000_000))


class TestPinning:
    def test_reaches_all_threads_and_ends_for_all(self) -> None:
        before, during = Sleeper(), None
        with pinned(1):
            during = Sleeper()
            inside = [own_cores(), before.cores(), during.cores()]
        after = [own_cores(), before.cores(), during.cores()]
        assert inside == [{usable_cores()[0]}] * 3
        assert after == [set(usable_cores())] * 3
        before.end()
        during.end()

    def test_is_done_without_where_the_system_cannot(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "sched_getaffinity")
        assert usable_cores() == list(range(os.cpu_count() or 1))
        with pinned(1):
            assert usable_cores() == list(range(os.cpu_count() or 1))

    def test_passes_over_threads_that_have_ended(self) -> None:
        pinning._move(2**22 + 1, {0})  # Linux numbers none so high


class Sleeper:
    """A thread that waits to be ended."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ended.wait)
        self._thread.start()

    def cores(self) -> set[int]:
        assert self._thread.native_id is not None
        return os.sched_getaffinity(self._thread.native_id)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


def own_cores() -> set[int]:
    return os.sched_getaffinity(0)


@pytest.fixture
def fake_events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the events of a GPU, between any two of which are 1.5 ms; return what was asked."""
    asked: list[str] = []

    class Event:
        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            asked.append("record")

        def synchronize(self) -> None:
            asked.append("synchronize")

        def elapsed_time(self, end: Event) -> float:
            assert end is not self
            return 1.5

    monkeypatch.setattr(torch.cuda, "Event", Event)
    return asked


class OnTheCpu(TorchFunctionMode):
    """Moves to the CPU what is to be moved to a GPU."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if "device" in given:
            given = given | {"device": "cpu"}
        return func(*["cpu" if isinstance(a, torch.device) else a for a in args], **given)


def test_a_gpu_is_timed_by_its_own_clock(fake_events: list[str]) -> None:
    run = backends._by_events(lambda: fake_events.append("forward"))
    assert run() == Timed(1.5, 1.5)
    assert fake_events == ["record", "forward", "record", "synchronize"]


def test_images_live_as_long_as_what_replays_a_recording_of_them(
    fake_cuda: list[str], fake_events: list[str]
) -> None:
    """A replay reads them where they were, whoever has been given that memory since."""
    protocol = replace(preset("torch-cuda"), **SMALL)
    network, read = build_model(ALL_OPS, 10, 4), []
    network.register_forward_pre_hook(lambda _, args: read.append(weakref.ref(args[0])))
    with OnTheCpu():
        run = ready(network, noise_images(protocol), protocol)
    assert fake_cuda == ["wait", "warm-up", "wait", "thread_local"]
    assert run() == Timed(1.5, 1.5)
    assert fake_cuda[-1] == "replay"
    assert len(read) == 4  # three to warm up, and the recording
    assert all(images() is not None for images in read)
    del run
    gc.collect()
    assert all(images() is None for images in read)


class TestDevice:
    def test_cpu(self) -> None:
        identity = device_identity(TORCH)
        assert identity.cores == len(usable_cores())
        assert identity.torch == torch.__version__
        assert (identity.driver, identity.cuda, identity.cudnn) == ("none",) * 3
        assert identity.onnxruntime == "none"
        assert device_identity(ONNX).onnxruntime != "none"

    def test_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        properties = SimpleNamespace(clock_rate=1_980_000)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
        monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91900)
        monkeypatch.setattr(this_device, "environment_of", provenance.environment_of.__wrapped__)
        monkeypatch.setattr(provenance, "_git", lambda *_: None)
        identity = device_identity(preset("torch-cuda"))
        assert (identity.name, identity.clock_mhz) == ("GPU of cuda", 1980)
        assert identity.cudnn == "91900"

    def test_clock(self, tmp_path: Path) -> None:
        highest, cpus = tmp_path / "highest", tmp_path / "cpus"
        assert this_device._cpu_clock(highest, cpus) is None
        cpus.write_text("processor\t: 0\n")
        assert this_device._cpu_clock(highest, cpus) is None
        cpus.write_text("processor\t: 0\ncpu MHz\t\t: 1996.249\n")
        assert this_device._cpu_clock(highest, cpus) == 2000
        highest.write_text("3600000\n")
        assert this_device._cpu_clock(highest, cpus) == 3600
