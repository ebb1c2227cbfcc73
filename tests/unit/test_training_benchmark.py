"""`benchmarks/training.py`: it runs with torch, torchvision and numpy alone, and keeps bounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import training_augmentation, training_checkpoint, training_command
from benchmarks.training_figures import Figure, measured

ROOT = Path(__file__).parents[2]
# A module that is None cannot be imported.
ALONE = """
import sys
others = "click celery psutil psycopg pydantic_settings redis rich sklearn sqlalchemy yaml"
sys.modules.update(dict.fromkeys(others.split()))
from benchmarks.training_command import main
sys.exit(main(sys.argv[1:]))
"""
KEPT = Figure(part="p", name="kept", unit="x", runs=(9.0, 12.0, 11.0), at_least=11)
MISSED = Figure(part="p", name="missed", unit="images/s", runs=(10.9, 2000.0, 1.0), at_least=11)


def test_augmentation_is_checked_and_measured_without_other_packages(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ["--images", "64", "--runs", "2", "--workers", "1", "--json", str(report)]
    command = [sys.executable, "-c", ALONE, "augmentation", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
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


def test_checkpoints_are_measured_without_other_packages(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ["--images", "64", "--runs", "1", "--json", str(report)]
    command = [sys.executable, "-c", ALONE, "checkpoint", *options]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
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
    rows = training_checkpoint.figures((1.1, 1.2), (1.0, 1.0), (0.5, 0.7), images=4_500)
    assert [round(row.median, 6) for row in rows] == [1_150, 1_000, 150, 600, 1.5, 6]
    assert [row.missed for row in rows] == [False] * 6
    (_, _, _, _, share, _) = training_checkpoint.figures((1.3,), (1.0,), (1.0,), images=4_500)
    assert str(share) == "checkpoint: lost, of 45,000 images: 3 %, at most 2"
    assert share.missed


@pytest.mark.parametrize(
    ("arguments", "figures", "code"),
    [
        (["--check"], [KEPT], training_command.SUCCESS),
        (["--check"], [KEPT, MISSED], training_command.MISSED),
        ([], [MISSED], training_command.SUCCESS),
    ],
)
def test_check_names_what_is_missed(
    arguments: list[str],
    figures: list[Figure],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(training_command, "PARTS", {"p": lambda _: figures})
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    assert training_command.main(arguments) == code
    told = "missed: p: missed: 10.9 images/s, at least 11" in capsys.readouterr().out
    assert told == (code == training_command.MISSED)


def test_contenders_run_by_turns_after_a_warm_up() -> None:
    calls: list[str] = []

    def contender(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    runs = measured({"a": lambda: contender("a"), "b": lambda: contender("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert runs == {"a": (3.0, 5.0), "b": (4.0, 6.0)}


def test_outputs_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_augmentation, "epoch_order", lambda n, *_: torch.arange(n))
    with pytest.raises(AssertionError, match="inputs of a model differ from torchvision's by"):
        training_augmentation.check(torch.device("cpu"))
