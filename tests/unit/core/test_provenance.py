"""The environment row: twelve strings that a release can hold."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from blox_core.result.environment import NONE, UNKNOWN, Environment
from blox_core.training import provenance
from blox_core.training.provenance import environment_of

PUBLISHED_COLUMNS = [
    "codebase_commit",
    "codebase_version",
    "cuda",
    "driver",
    "gpu",
    "platform",
    "ptflops_version",
    "python",
    "torch_commit",
    "torch_cuda_version",
    "torch_version",
    "torchvision_version",
]
NVIDIA_VERSION = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""
OPEN_NVIDIA_VERSION = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (a@b)\n"
)


def test_columns_are_the_published_ones() -> None:
    assert [field.name for field in fields(Environment)] == PUBLISHED_COLUMNS


def test_this_process() -> None:
    environment = environment_of(torch.device("cpu"))
    assert environment is environment_of(torch.device("cpu"))
    assert environment.torch_version == torch.__version__
    assert environment.torchvision_version == metadata.version("torchvision")
    assert environment.ptflops_version == metadata.version("ptflops")
    assert environment.python.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert environment.codebase_version != UNKNOWN
    for name in PUBLISHED_COLUMNS:
        value = getattr(environment, name)
        assert type(value) is str
        assert value.isascii()
        assert 0 < len(value) <= 255


def test_strings_that_a_release_cannot_hold() -> None:
    environment = Environment(**dict.fromkeys(PUBLISHED_COLUMNS, "Prüfung\n" + "x" * 300))
    assert environment.gpu == "Pr?fung?" + "x" * 247


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (NVIDIA_VERSION, "535.183.01"),
        (OPEN_NVIDIA_VERSION, "570.86.15"),
        ("something else", UNKNOWN),
        (None, NONE),
    ],
)
def test_driver(text: str | None, version: str, tmp_path: Path) -> None:
    file = tmp_path / "version"
    if text is not None:
        file.write_text(text)
    assert provenance._driver_version(file) == version


def test_no_cuda_library() -> None:
    assert provenance._cuda_version("libno-such-library.so.1") == NONE


@pytest.mark.parametrize(("number", "failed", "version"), [(12040, 0, "12.4"), (0, 3, UNKNOWN)])
def test_cuda_of_the_driver(
    monkeypatch: pytest.MonkeyPatch, number: int, failed: int, version: str
) -> None:
    def get_version(pointer: Any) -> int:
        pointer._obj.value = number
        return failed

    library = SimpleNamespace(cuDriverGetVersion=get_version)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert provenance._cuda_version("libcuda.so.1") == version


def test_gpu_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
    assert provenance._device_name(torch.device("cuda", 1)) == "GPU of cuda:1"


def test_cpu_name(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    assert provenance._cpu_name(file) != ""
    file.write_text("processor\t: 0\n")
    assert provenance._cpu_name(file) != ""
    file.write_text("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n")
    assert provenance._cpu_name(file) == "Some CPU @ 3 GHz"


class TestCommit:
    COMMIT = "7c2f0a31c0de9dbb5e0a1d2c3b4a59687f6e5d4c"

    def commit(
        self, monkeypatch: pytest.MonkeyPatch, root: Path, *, top: Path, changes: str = ""
    ) -> str:
        """Return what is told of a repository; git itself is not run."""

        def run(command: list[str], **_: Any) -> Any:
            head = f"{top}\n{self.COMMIT}\n"
            return SimpleNamespace(stdout=head if "rev-parse" in command else changes)

        monkeypatch.setattr(subprocess, "run", run)
        return provenance._commit(root)

    def test_clean(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        assert self.commit(monkeypatch, tmp_path, top=tmp_path) == self.COMMIT

    def test_dirty(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        told = self.commit(monkeypatch, tmp_path, top=tmp_path, changes=" M a.py\n")
        assert told == f"{self.COMMIT} (dirty)"

    @pytest.mark.parametrize(
        ("built_from", "told"), [("abc-dirty\n", "abc-dirty"), ("\n", UNKNOWN)]
    )
    def test_in_an_image(self, tmp_path: Path, built_from: str, told: str) -> None:
        (tmp_path / "blox_core").mkdir()
        (tmp_path / "blox_core" / "COMMIT").write_text(built_from)
        assert provenance._commit(tmp_path) == told

    def test_installed_in_another_repository(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        root = tmp_path / "venv"
        assert self.commit(monkeypatch, root, top=tmp_path) == UNKNOWN

    @pytest.mark.parametrize(
        "error",
        [
            FileNotFoundError("git"),
            subprocess.CalledProcessError(128, "git"),
            subprocess.TimeoutExpired("git", 10),
        ],
    )
    def test_no_git(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
    ) -> None:
        def run(*_: Any, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(subprocess, "run", run)
        assert provenance._commit(tmp_path) == UNKNOWN


def test_version_without_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert provenance._codebase_version(tmp_path) == UNKNOWN
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.8.7"\n')
    assert provenance._codebase_version(tmp_path) == "9.8.7"
