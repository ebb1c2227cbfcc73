from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pyarrow.parquet  # noqa: F401 - it takes a second, which is not to be of a test
import pytest


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The readable codec that stands beside this file."""
    path = Path(__file__).with_name("reference_codec.py")
    spec = importlib.util.spec_from_file_location("reference_codec", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
