"""Copies from a GPU, of which a stand-in notes what it is told and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from blox_core.checkpoint import host_copy
from blox_core.checkpoint.checkpoint import Checkpoint
from blox_core.checkpoint.host_copy import host_copies, work_so_far
from tests.unit.core.test_checkpoint import EPOCH, IDENTITY

ON_GPU = torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last)
ON_HOST = torch.tensor(7)


class FakeGpu:
    """Tensors of more than one element lie on it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def event(self) -> FakeEvent:
        return FakeEvent(self)

    def stream(self, device: str) -> FakeStream:
        self.told.append(f"a stream on {device}")
        return FakeStream(self)

    @contextmanager
    def current(self, stream: FakeStream) -> Iterator[None]:
        self.told.append("there")
        yield
        self.told.append("here")

    def pinned_like(self, tensor: Tensor) -> Tensor:
        self.told.append("a copy")
        return torch.empty_like(tensor)


class FakeEvent:
    device = "the GPU"

    def __init__(self, gpu: FakeGpu) -> None:
        self._gpu = gpu

    def record(self, stream: str) -> None:
        self._gpu.told.append(f"an event after {stream}")


class FakeStream:
    def __init__(self, gpu: FakeGpu) -> None:
        self._gpu = gpu

    def wait_event(self, event: FakeEvent) -> None:
        self._gpu.told.append("it waits for the event")

    def synchronize(self) -> None:
        self._gpu.told.append("we wait for it")


COPYING = ["a stream on the GPU", "it waits for the event", "there", "here", "we wait for it"]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    fake = FakeGpu()
    monkeypatch.setattr(host_copy, "_is_on_gpu", lambda tensor: tensor.numel() > 1)
    monkeypatch.setattr(host_copy, "_pinned_like", fake.pinned_like)
    monkeypatch.setattr(torch.cuda, "Event", fake.event)
    monkeypatch.setattr(torch.cuda, "Stream", fake.stream)
    monkeypatch.setattr(torch.cuda, "stream", fake.current)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    return fake


def test_without_a_gpu_tensors_are_what_they_are() -> None:
    made_by = work_so_far([ON_GPU, ON_HOST])
    assert made_by is None
    (part,) = host_copies([{"weight": ON_GPU}], made_by)
    assert part["weight"] is ON_GPU


def test_a_copy_is_made_beside_other_work_once(gpu: FakeGpu) -> None:
    made_by = work_so_far([ON_HOST, ON_GPU])
    first, second = host_copies(
        [{"weight": ON_GPU, "batches": ON_HOST}, {"best": ON_GPU}, {}], made_by
    )[:2]
    assert gpu.told == ["an event after the stream of cpu", *COPYING[:3], "a copy", *COPYING[3:]]
    assert first["batches"] is ON_HOST
    assert first["weight"] is second["best"]
    assert first["weight"] is not ON_GPU
    assert torch.equal(first["weight"], ON_GPU)
    assert first["weight"].stride() == ON_GPU.stride()


def test_a_checkpoint_knows_when_its_tensors_were_made(gpu: FakeGpu) -> None:
    weights = {"weight": ON_GPU}
    checkpoint = Checkpoint(
        identity=IDENTITY, epochs=(EPOCH,), model=weights, momentum={}, best_model=weights
    )
    assert gpu.told == ["an event after the stream of cpu"]
    copy = checkpoint.on_cpu()
    assert gpu.told[1:6] == [*COPYING[:3], "a copy", "here"]
    assert torch.equal(copy.model["weight"], ON_GPU)
    assert copy.best_model["weight"] is copy.model["weight"]
    assert copy.momentum == {}
