"""`benchmarks/training.py`: it runs with torch, torchvision and numpy alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[3]
# A module that is None cannot be imported. The published model takes seconds a step: a narrow one.
ALONE = """
import sys
from dataclasses import replace
others = "click celery psutil psycopg pydantic pydantic_settings ptflops redis rich sklearn sqlalchemy yaml"
sys.modules.update(dict.fromkeys(others.split()))
from benchmarks.suite.training import effort, steps
small = replace(effort.preset("cifar100"), stem_channels=2)
effort.preset = lambda name: small
steps.LEAST_TIME_S = 0.01
from benchmarks.suite.training.command import BENCHMARK
sys.exit(BENCHMARK.main())
"""
FEW = "--images 8 --batch 2 --runs 2 --threads 1 --any-load"


def measured(options: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Run the benchmark where no other package can be imported; return its report and table."""
    report = folder / "report.json"
    command = [sys.executable, "-c", ALONE, *options.split(), *FEW.split(), "--json", str(report)]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert list(folder.iterdir()) == [report]
    return json.loads(report.read_text()), ended.stdout


def rows_of(document: dict[str, Any], part: str) -> list[dict[str, Any]]:
    return [row for row in document["rows"] if row["part"] == part]


@pytest.mark.slow  # three processes with torch
def test_all_parts_are_measured_without_other_packages(tmp_path: Path) -> None:
    few = "--workers 1 --sample 1 --share 0.00001 --jobs 1"
    document, table = measured(f"augmentation step models jobs checkpoint {few}", tmp_path)
    assert document["machine"]["torch"] == torch.__version__
    assert "images/s" in table
    augmentation, steps, models, jobs, checkpoint = (
        rows_of(document, part) for part in ("augmentation", "step", "models", "jobs", "checkpoint")
    )
    assert [row["name"] for row in augmentation] == [
        "ours",
        "torchvision, one by one",
        "torchvision, DataLoader, 1 workers",
        "ours : torchvision, one by one",
        "ours : torchvision, DataLoader, 1 workers",
    ]
    assert [row["at_least"] for row in augmentation] == [None] * 4 + [10]
    assert [(row["name"], row["unit"]) for row in steps] == [
        ("reference, eager fp32", "ms"),
        ("ours, eager", "ms"),
        ("ours, eager : reference", "x"),
    ]
    assert [(row["name"], row["unit"]) for row in models] == [
        ("ours, a model", "s"),
        ("ours", "models/hour"),
        ("ours, all models", "hours"),
        ("ours, peak memory", "GiB"),
        ("reference, a model", "s"),
        ("reference", "models/hour"),
        ("reference, all models", "hours"),
        ("ours : reference, models/hour", "x"),
    ]
    assert [(row["name"], row["unit"]) for row in jobs] == [
        ("1 at a time", "models/hour"),
        ("1 at a time, all models", "hours"),
        ("1 at a time, peak memory", "GiB"),
    ]
    timed = (*augmentation, *steps, *models, *jobs)
    assert all(value > 0 for row in timed for value in row["runs"])
    assert [row["name"] for row in checkpoint] == [
        "epoch of 8 images beside a checkpoint",
        "epoch of 8 images alone",
        "lost to a checkpoint",
        "written at once instead",
        "lost, of 45,000 images",
        "written at once, of 45,000 images",
    ]
    assert [row["at_most"] for row in checkpoint] == [None] * 4 + [2, None]
    several = (*augmentation, *steps, *checkpoint)
    assert all(len(row["runs"]) == 2 for row in several)
