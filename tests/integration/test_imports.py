"""What a process loads, and what it need not: each of them says so of all that it can."""

from __future__ import annotations

import os
import subprocess
import sys

# What describes a training and what comes out of it, the command line, and what chooses a GPU
# before torch sees all of them. import-linter cannot say it: it counts imports in functions too.
WITHOUT_TORCH = (
    "blox_worker.commands",  # first: it is all that `blox --help` loads
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
    "blox_worker.commands.make.init",
    "blox_worker.commands.train.scheduler",
    "blox_worker.commands.release.show",
    "blox_worker.commands.train.worker",
    "blox_worker.device.slots",
    "blox_worker.device.torch_device",
    "blox_worker.processes.launcher",
    "blox_worker.processes.lifeline",
    "blox_worker.commands.train.tune_gpu",
)
LIGHT = """
import sys
from importlib import import_module

for module in sys.argv[1:]:
    import_module(module)
    assert "torch" not in sys.modules, module
    if module == "blox_worker.commands":
        assert not {"numpy", "pydantic", "sqlalchemy"} & sys.modules.keys()
    if module == "blox_core.space":
        import blox_core.space.hash_table as table

        assert table.load.cache_info().currsize == 0
        assert "blox_core.space.graph" not in sys.modules
"""
TRAINING = """
import sys

sys.modules.update(dict.fromkeys(sys.argv[1:]))  # a module that is None cannot be imported
import blox_core.throughput
from blox_core.data.loading import load_data
from blox_core.recipe import preset
from tests.support import synthetic

load_data(preset("digits"), "unused")
synthetic.run()
assert not {"sklearn", "torch._dynamo"} & set(sys.modules)
"""


def run(code: str, *arguments: str) -> None:
    """Run code in a process of its own, which has to end well."""
    command = [sys.executable, "-c", code, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_describing_and_launching_load_no_torch_and_no_table_of_hashes() -> None:
    run(LIGHT, *WITHOUT_TORCH)


def test_training_and_measuring_need_torch_and_numpy_alone_and_load_no_compiler() -> None:
    """The compiler of torch would take seconds of every start, and so would scikit-learn."""
    others = "click rich pydantic pydantic_settings ptflops sqlalchemy"
    run(TRAINING, *others.split())
