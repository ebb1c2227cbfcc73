"""`benchmarks/latency.py`: it runs with torch, torchvision and numpy alone, and says what it found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.suite.latency import command as latency_command
from benchmarks.suite.latency.figures import separate_sample
from blox_core.latency import DeviceIdentity, LatencyPredictor, LatencyProtocol
from blox_core.latency.predictor import fitting_sample

ROOT = Path(__file__).parents[3]
# A module that is None cannot be imported.
ALONE = """
import sys
others = "click onnx onnxruntime psutil psycopg pydantic_settings redis rich scipy sqlalchemy yaml"
sys.modules.update(dict.fromkeys(others.split()))
from benchmarks.suite.latency.command import main
sys.exit(main(sys.argv[1:]))
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


def test_a_sample_is_measured_twice_and_predicted(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    few = ["--sample", "4", "--rounds", "2", "--any-load", "--json", str(report)]
    ended = measure(*few, *TINY)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(report.read_text())
    rows = {row["name"]: row for row in document["rows"]}
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
    assert -1 <= rows["predicted from 90: Spearman"]["median"] <= 1
    assert 0 <= rows["stable measurements"]["median"] <= 100
    for name in ("latency", "an architecture", "of that, arithmetic"):
        assert rows[name]["median"] > 0
    errors = [row["median"] for name, row in rows.items() if name.endswith("absolute error")]
    assert (len(errors), min(errors) > 0) == (3, True)
    assert rows["all, measured"]["median"] > rows["all, predicted from 90"]["median"] > 0
    assert LatencyProtocol.from_dict(document["protocol"]).resolution == 8
    assert DeviceIdentity.from_dict(document["device"]).onnxruntime == "none"
    runs = document["measurements"]
    indices = {name: [row["arch_index"] for row in rows] for name, rows in runs.items()}
    assert indices["first"] == indices["again"]
    assert len(indices["first"]) == 4
    assert len(set(indices["fitted"]) - set(indices["first"])) == 90
    predictor = LatencyPredictor.from_dict(document["predictor"])
    assert len(predictor.all_ms()) == 91_125
    assert "Spearman of two runs" in ended.stdout


def test_what_is_missing_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    arguments = ["--backend", "onnxruntime-cpu", "--any-load"]
    assert latency_command.main(arguments) == latency_command.FAILED
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("latency: onnxruntime is not installed")


def test_the_sample_is_separate() -> None:
    others = fitting_sample(3, 1)
    drawn = separate_sample(1_000, others)
    assert len(set(drawn)) == 1_000
    assert not set(drawn) & set(others)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sample", "1"], "'1': an integer of 2 or more is allowed"),
        (["--rounds", "none"], "'none': an integer of 1 or more is allowed"),
        (["--set", "size=3"], "'size': one of backend, precision, .* is allowed"),
    ],
)
def test_wrong_options(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        latency_command.main(arguments)
    assert re.search(message, capsys.readouterr().err)


def test_a_wrong_value_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert latency_command.main(["--any-load", "--set", "batch=none"]) == latency_command.FAILED
    assert capsys.readouterr().out == (
        "latency: latency protocol field batch = 'none': an integer of 1 or more is allowed\n"
    )


def test_a_busy_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1000.0, 0.0, 0.0))
    assert latency_command.main([]) == latency_command.FAILED
    assert "the machine is busy: stop other work, or" in capsys.readouterr().out
    few = ["--sample", "2", "--rounds", "1", *TINY]
    assert latency_command.main([*few, "--any-load"]) == latency_command.SUCCESS
    assert "the machine is busy: times are of no use" in capsys.readouterr().out
