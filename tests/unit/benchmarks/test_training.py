"""`benchmarks/training.py`: what it measures, by turns, and which bounds it keeps."""

from __future__ import annotations

import pytest
import torch

from benchmarks.suite.training import augmentation, checkpoint, steps, throughput
from benchmarks.suite.training.effort import Effort, measured
from blox_core.complexity import params_and_flops
from blox_core.errors import DeviceOutOfMemory
from blox_core.recipe import preset
from blox_core.throughput import stratified_sample
from tests.support import pil_augmentation


def test_compiled_blocks_are_measured_where_asked() -> None:
    for part in (steps, throughput):
        modes = Effort().asked(part.ON_CPU, part.ON_CUDA)
        assert modes.keys() == {name for name in part.ON_CPU if "compiled" not in name}
        on_gpu = Effort(device=torch.device("cuda"), compiled=True)
        assert on_gpu.asked(part.ON_CPU, part.ON_CUDA) == part.ON_CUDA


def test_a_gpu_gets_more_to_do() -> None:
    on_gpu = Effort(device=torch.device("cuda"), jobs=(1, 3))
    assert (on_gpu.batch, on_gpu.share, on_gpu.jobs) == (256, 1.0, (1, 3))
    assert Effort().share < 0.01


def test_more_jobs_than_fit_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure_none(load: object) -> None:
        raise DeviceOutOfMemory

    monkeypatch.setattr(throughput, "measure", measure_none)
    assert list(throughput.jobs(Effort())) == []


def test_sample_is_stratified() -> None:
    _, flops = params_and_flops(preset("cifar100").shape)
    assert stratified_sample(flops, 3) == throughput.SAMPLE
    assert stratified_sample(flops, 1) == (steps.ARCHITECTURE.index,)


def test_what_a_checkpoint_costs_is_a_share_of_a_whole_epoch() -> None:
    rows = checkpoint.rows((1.1, 1.2), (1.0, 1.0), (0.5, 0.7), images=4_500)
    assert [round(row.value, 6) for row in rows] == [1_150, 1_000, 150, 600, 1.5, 6]
    assert [row.missed for row in rows] == [False] * 6
    (_, _, _, _, share, _) = checkpoint.rows((1.3,), (1.0,), (1.0,), images=4_500)
    assert (share.value, share.at_most) == (pytest.approx(3), 2)
    assert share.missed


def test_contenders_run_by_turns_after_a_warm_up() -> None:
    calls: list[str] = []

    def contender(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    runs = measured({"a": lambda: contender("a"), "b": lambda: contender("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert runs == {"a": (3.0, 5.0), "b": (4.0, 6.0)}


def test_outputs_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation, "CHECKED_IMAGES", 32)
    monkeypatch.setattr(pil_augmentation, "epoch_order", lambda n, *_: torch.arange(n))
    with pytest.raises(AssertionError, match="inputs of a model differ from torchvision's by"):
        augmentation.check(torch.device("cpu"))
