"""What `import blox` loads, and what it offers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import blox
from blox import version

ROOT = Path(blox.__file__).parents[1]


@pytest.fixture(scope="module")
def byte_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("byte-code")


def run_python(code: str, byte_code: Path) -> str:
    """Run code in a new interpreter that keeps its byte code, and return what it prints."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(byte_code), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    ).stdout


def test_nothing_heavy_is_loaded(byte_code: Path) -> None:
    code = "import blox, sys; print({'torch', 'celery', 'sqlalchemy', 'pandas', 'pyarrow'} & set(sys.modules))"
    assert run_python(code, byte_code) == "set()\n"


def test_submodules_are_attributes(byte_code: Path) -> None:
    code = (
        "import blox; "
        "print(blox.dataset.preferred_ext, blox.io.read_dataset_file.__name__, "
        "blox.search_space.get_model_hash.__name__, blox.graph_utils.get_model_graph.__name__)"
    )
    assert run_python(code, byte_code) == (
        "['.blox', '.parquet', '.csv'] read_dataset_file get_model_hash get_model_graph\n"
    )


def test_the_model_is_loaded_on_use(byte_code: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import blox\n"
        "try: blox.model\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    printed = run_python(code, byte_code)
    assert printed.startswith("ExtraMissing PyTorch is not installed")
    assert printed.endswith("run `pip install '.[worker]'`\n")


def test_names_are_those_of_the_published_package() -> None:
    for name in ("Dataset", "BenchmarkingDataset", "StaticInfoDataset", "EnvInfoDataset"):
        assert getattr(blox, name) is getattr(blox.dataset, name)
        assert getattr(blox, name).__name__ == name
    assert blox.from_folder is blox.dataset.from_folder


def test_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> str:
        raise version.PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", lambda name: f"1.2 of {name}")
    assert blox.__version__ == "1.2 of blox"
    monkeypatch.setattr(version, "version", not_installed)
    assert blox.__version__ == "0+checkout"


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'blox' has no attribute 'nonsense'"):
        _ = blox.nonsense
