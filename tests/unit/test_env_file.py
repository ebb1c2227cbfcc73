"""`make env`: a file of settings with passwords that nobody else has."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_env(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "containers").mkdir(exist_ok=True)
    shutil.copy(ROOT / ".env.example", folder)
    shutil.copy(ROOT / "containers/make-env", folder / "containers")
    return subprocess.run(
        ["bash", folder / "containers/make-env"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_passwords_are_made_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        assert "wrote .env" in make_env(folder, HEAD="10.0.0.1").stdout
        assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    first, second = settings(one), settings(two)
    assert first["BLOX_HEAD_ADDRESS"] == "10.0.0.1"
    passwords = [name for name in first if name.endswith("_PASSWORD")]
    assert len(passwords) == 4
    made = {values[name] for values in (first, second) for name in passwords}
    assert len(made) == 8
    assert all(len(password) == 48 and password.isalnum() for password in made)


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BLOX_SEED=7\n")
    assert ".env is there and stays" in make_env(tmp_path).stdout
    assert (tmp_path / ".env").read_text() == "BLOX_SEED=7\n"


def test_the_example_has_no_secret() -> None:
    example = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in example if "PASSWORD=" in line and not line.endswith("=")] == []
