"""What describes a training, what comes out of it, and the command line need no torch."""

from __future__ import annotations

from tests.support.commands import Commands

# import-linter cannot say it: it counts imports in functions, by which the others get torch.
LIGHT = (
    "blox_worker.commands",  # first: see below
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
)
IMPORT = """
import sys
from importlib import import_module

for module in sys.argv[1:]:
    import_module(module)
    if module == "blox_worker.commands":  # all that `blox --help` loads
        assert not {"numpy", "pydantic", "sqlalchemy"} & sys.modules.keys()
    assert "torch" not in sys.modules, module
"""


def test_modules_load_no_torch(commands: Commands) -> None:
    (commands.folder / "light.py").write_text(IMPORT)
    commands.succeed(f"python light.py {' '.join(LIGHT)}")
