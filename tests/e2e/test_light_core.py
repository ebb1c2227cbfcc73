"""What describes a training, what comes out of it, and the command line need no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = [
    "blox_core.space",
    "blox_core.complexity",
    "blox_core.recipe",
    "blox_core.result.metrics",
    "blox_core.result.environment",
    "blox_core.result",
    "blox_core.errors",
    "blox_core.checkpoint.identity",
    "blox_core.result.epoch_report",
    "blox_core.checkpoint.file",
    "blox_core.checkpoint.writer",
    "blox_core.result.trainer_revision",
    "blox_core.simulation",
    "blox_core.latency",
    "blox_worker.commands",
    "blox_worker.commands.make.init",
    "blox_worker.commands.train.scheduler",
    "blox_worker.commands.release.show",
    "blox_worker.commands.train.worker",
]


@pytest.mark.parametrize("module", LIGHT)
def test_module_loads_no_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
