"""`benchmarks/latency.py`: what it refuses, and which architectures it draws."""

from __future__ import annotations

import sys

import pytest

from benchmarks.suite.latency.command import BENCHMARK, separate_sample
from benchmarks.suite.report.benchmark import FAILED
from blox_core.latency.predictor import fitting_sample


def test_what_is_missing_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert BENCHMARK.main(["--backend", "onnxruntime-cpu", "--any-load"]) == FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: onnxruntime is not installed")


def test_the_sample_is_separate() -> None:
    others = fitting_sample(3, 1)
    drawn = separate_sample(1_000, others)
    assert len(set(drawn)) == 1_000
    assert not set(drawn) & set(others)


def test_a_wrong_value_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCHMARK.main(["--any-load", "--set", "batch=none"]) == FAILED
    assert capsys.readouterr().err == (
        "Error: latency protocol field batch = 'none': an integer of 1 or more is allowed\n"
    )
