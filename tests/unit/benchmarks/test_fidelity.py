"""`benchmarks/fidelity.py`: both trainers train, and their curves are compared."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks.suite.fidelity.command import main


def test_both_are_trained_and_compared(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    few = ["--architectures", "18639", "--seeds", "2", "--epochs", "1", "--images", "32"]
    ended = CliRunner().invoke(main, [*few, "--json", str(report)])
    assert ended.exit_code in (0, 1), ended.output  # of two seeds anything may come out
    assert "val accuracy, %: 18639" in ended.output
    assert json.loads(report.read_text())


def test_architectures_are_indices() -> None:
    ended = CliRunner().invoke(main, ["--architectures", "1,x"])
    assert ended.exit_code == 2
    assert "'1,x': arch indices such as 18639,20710,69418 are allowed" in ended.output
