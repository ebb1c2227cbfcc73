"""`benchmarks/training.py`: it runs with torch, torchvision and numpy alone, and keeps bounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.suite.training import augmentation, checkpoint, steps, throughput
from benchmarks.suite.training.effort import Effort, measured
from blox_core.complexity import params_and_flops
from blox_core.errors import DeviceOutOfMemory
from blox_core.recipe import preset
from blox_core.throughput import stratified_sample
from tests.support import pil_augmentation

ROOT = Path(__file__).parents[3]
# A module that is None cannot be imported.
ALONE = """
import sys
others = "click celery psutil psycopg pydantic_settings redis rich sklearn sqlalchemy yaml"
sys.modules.update(dict.fromkeys(others.split()))
from benchmarks.suite.training.command import BENCHMARK
sys.exit(BENCHMARK.main())
"""


def measure(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark where no other package can be imported."""
    ended = subprocess.run(
        [sys.executable, "-c", ALONE, *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended


def test_augmentation_is_checked_and_measured_without_other_packages(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = [
        "--images",
        "64",
        "--runs",
        "2",
        "--workers",
        "1",
        "--any-load",
        "--json",
        str(report),
    ]
    ended = measure("augmentation", *options)
    document = json.loads(report.read_text())
    assert [row["name"] for row in document["rows"]] == [
        "ours",
        "torchvision, one by one",
        "torchvision, DataLoader, 1 workers",
        "ours : torchvision, one by one",
        "ours : torchvision, DataLoader, 1 workers",
    ]
    assert [row["at_least"] for row in document["rows"]] == [None] * 4 + [10]
    assert all(len(row["runs"]) == 2 for row in document["rows"])
    assert document["machine"]["torch"] == torch.__version__
    assert "images/s" in ended.stdout


def test_steps_and_models_are_measured_without_other_packages(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    few = ["--batch", "2", "--runs", "1", "--sample", "1", "--share", "0.00001", "--jobs", "1"]
    few += ["--workers", "0", "--threads", "1", "--any-load"]
    measure("step", "models", "jobs", *few, "--json", str(report))
    rows = json.loads(report.read_text())["rows"]
    assert [(row["part"], row["name"], row["unit"]) for row in rows] == [
        ("step", "reference, eager fp32", "ms"),
        ("step", "ours, eager", "ms"),
        ("step", "ours, eager : reference", "x"),
        ("models", "ours, a model", "s"),
        ("models", "ours", "models/hour"),
        ("models", "ours, all models", "hours"),
        ("models", "ours, peak memory", "GiB"),
        ("models", "reference, a model", "s"),
        ("models", "reference", "models/hour"),
        ("models", "reference, all models", "hours"),
        ("models", "ours : reference, models/hour", "x"),
        ("jobs", "1 at a time", "models/hour"),
        ("jobs", "1 at a time, all models", "hours"),
        ("jobs", "1 at a time, peak memory", "GiB"),
    ]
    assert all(value > 0 for row in rows for value in row["runs"])


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


def test_checkpoints_are_measured_without_other_packages(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ["--images", "64", "--runs", "1", "--any-load", "--json", str(report)]
    measure("checkpoint", *options, TMPDIR=str(tmp_path))
    rows = json.loads(report.read_text())["rows"]
    assert [row["name"] for row in rows] == [
        "epoch of 64 images beside a checkpoint",
        "epoch of 64 images alone",
        "lost to a checkpoint",
        "written at once instead",
        "lost, of 45,000 images",
        "written at once, of 45,000 images",
    ]
    assert [row["at_most"] for row in rows] == [None] * 4 + [2, None]
    assert list(tmp_path.iterdir()) == [report]


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
    monkeypatch.setattr(pil_augmentation, "epoch_order", lambda n, *_: torch.arange(n))
    with pytest.raises(AssertionError, match="inputs of a model differ from torchvision's by"):
        augmentation.check(torch.device("cpu"))
