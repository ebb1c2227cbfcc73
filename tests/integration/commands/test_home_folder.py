"""`~` is the home folder in what is typed and set, though no shell has expanded it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blox_store.settings import read_settings
from blox_worker.settings import WorkerSettings
from tests.support.typed import Typed


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own."""
    made = tmp_path / "home"
    made.mkdir()
    monkeypatch.setenv("HOME", str(made))
    return made


def test_options_and_arguments(home: Path, typed: Typed, golden: Path) -> None:
    shutil.copytree(golden / "release-e12", home / "release")
    assert "no fault" in typed.succeed("python -m blox_store.verify ~/release")
    assert "36.44" in typed.succeed("blox show 59841 --release=~/release")
    refused = typed("python -m blox_store.verify ~no-such-user/release")
    assert (refused.code, "no release folder ~no-such-user/release" in refused.err) == (1, True)


def test_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOX_DATA_DIR", "~/data")
    monkeypatch.setenv("BLOX_LOCK_DIR", "~")
    settings = read_settings(WorkerSettings)
    assert (settings.data_dir, settings.lock_dir) == (home / "data", home)
    assert settings.checkpoint_dir == Path("checkpoints")
