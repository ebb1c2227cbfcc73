"""`benchmarks/latency.py`: it runs with torch, torchvision and numpy alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blox_core.latency import DeviceIdentity, LatencyPredictor, LatencyProtocol

ROOT = Path(__file__).parents[3]
# A module that is None cannot be imported.
ALONE = """
import sys
others = "click onnx onnxruntime psutil psycopg pydantic_settings redis rich scipy sqlalchemy yaml"
sys.modules.update(dict.fromkeys(others.split()))
from benchmarks.suite.latency.command import BENCHMARK
sys.exit(BENCHMARK.main())
"""
SMALL = (
    "batch=1 resolution=8 stem_channels=2 classes=10 least_warm_up=2 most_warm_up=2 timed_runs=2"
)
TINY = [option for field in SMALL.split() for option in ("--set", field)]


def measure(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark where no other package can be imported."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow  # a hundred architectures are measured
def test_a_sample_is_measured_twice_and_predicted(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    few = ["--sample", "4", "--rounds", "2", "--any-load", "--json", str(report)]
    ended = measure(*few, *TINY)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(report.read_text())
    rows, details = {row["name"]: row for row in document["rows"]}, document["details"]["latency"]
    assert list(rows) == [
        "Spearman of two runs",
        "median difference of two runs",
        "latency",
        "stable measurements",
        "measured again: mean absolute error",
        "measured again: Spearman",
        "predicted from 45, each part once: mean absolute error",
        "predicted from 45, each part once: Spearman",
        "predicted from 90: mean absolute error",
        "predicted from 90: Spearman",
        "an architecture",
        "all, measured",
        "all, predicted from 90",
        "of that, arithmetic",
    ]
    assert -1 <= rows["predicted from 90: Spearman"]["value"] <= 1
    assert 0 <= rows["stable measurements"]["value"] <= 100
    for name in ("latency", "an architecture", "of that, arithmetic"):
        assert rows[name]["value"] > 0
    errors = [row["value"] for name, row in rows.items() if name.endswith("absolute error")]
    assert (len(errors), min(errors) > 0) == (3, True)
    assert rows["all, measured"]["value"] > rows["all, predicted from 90"]["value"] > 0
    assert LatencyProtocol.from_dict(details["protocol"]).resolution == 8
    assert DeviceIdentity.from_dict(details["device"]).onnxruntime == "none"
    runs = details["measurements"]
    indices = {name: [row["arch_index"] for row in rows] for name, rows in runs.items()}
    assert indices["first"] == indices["again"]
    assert len(indices["first"]) == 4
    assert len(set(indices["fitted"]) - set(indices["first"])) == 90
    predictor = LatencyPredictor.from_dict(details["predictor"])
    assert len(predictor.all_ms()) == 91_125
    assert "Spearman of two runs" in ended.stdout
