"""What `import blox` offers."""

from __future__ import annotations

import pytest

import blox
from blox import version


def test_names_are_those_of_the_published_package() -> None:
    for name in ("Dataset", "BenchmarkingDataset", "StaticInfoDataset", "EnvInfoDataset"):
        assert getattr(blox, name) is getattr(blox.dataset, name)
        assert getattr(blox, name).__name__ == name
    assert blox.from_folder is blox.dataset.from_folder


def test_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> str:
        raise version.PackageNotFoundError(name)

    monkeypatch.setattr(version, "version_of", lambda name: f"1.2 of {name}")
    assert blox.__version__ == "1.2 of blox"
    monkeypatch.setattr(version, "version_of", not_installed)
    assert blox.__version__ == "0+checkout"


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'blox' has no attribute 'nonsense'"):
        _ = blox.nonsense
