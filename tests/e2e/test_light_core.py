"""What describes a training, and what comes out of it, needs no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = [
    "space",
    "recipe",
    "metrics",
    "environment",
    "result",
    "errors",
    "identity",
    "epoch_report",
    "checkpoint_file",
    "trainer_revision",
    "simulation",
]


@pytest.mark.parametrize("module", LIGHT)
def test_module_loads_no_torch(module: str) -> None:
    code = f"import sys, blox_core.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
