"""The fidelity study: both trainers train, in the processes of a pool."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.suite.fidelity.command import BENCHMARK
from benchmarks.suite.report.benchmark import SUCCESS


@pytest.mark.slow  # trainings of real digits
def test_both_are_trained_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    few = ["--architectures", "18639", "--seeds", "2", "--epochs", "1", "--images", "32"]
    assert BENCHMARK.main([*few, "--json", str(report)]) == SUCCESS
    assert "| val accuracy, %: 18639 " in capsys.readouterr().out
    trained = json.loads(report.read_text())["details"]["fidelity"]["trainings"]
    assert [one["trainer"] for one in trained] == ["engine", "reference"] * 2
