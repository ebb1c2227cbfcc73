"""What `import blox` loads, and what it waits with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import blox

ROOT = Path(blox.__file__).parents[1]


def run_python(code: str) -> str:
    """Run code in a new interpreter, and return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def test_nothing_heavy_is_loaded_and_submodules_are_attributes() -> None:
    code = (
        "import blox, sys; "
        "print({'torch', 'celery', 'sqlalchemy', 'pandas', 'pyarrow'} & set(sys.modules)); "
        "print(blox.dataset.preferred_ext, blox.io.read_dataset_file.__name__, "
        "blox.search_space.get_model_hash.__name__, blox.graph_utils.get_model_graph.__name__)"
    )
    assert run_python(code).splitlines() == [
        "set()",
        "['.blox', '.parquet', '.csv'] read_dataset_file get_model_hash get_model_graph",
    ]


def test_the_model_is_loaded_on_use() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import blox\n"
        "try: blox.model\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    printed = run_python(code)
    assert printed.startswith("ExtraMissing PyTorch is not installed")
    assert printed.endswith("run `pip install '.[worker]'`\n")
