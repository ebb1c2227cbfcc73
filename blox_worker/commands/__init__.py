"""The commands of `blox`, one verb a module, each loaded when it is asked for.

A worker is to start quickly, and a scheduler needs no torch.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Final

import click

# The module of each verb; it has a command of the verb's name, with _ for -.
_MODULES: Final = {
    "demo": "demo",
    "flower": "flower",
    "health": "health",
    "init": "init",
    "jobs": "jobs",
    "migrate": "migrate",
    "pause": "pause",
    "resume": "pause",
    "retry": "retry",
    "scheduler": "scheduler",
    "status": "status",
    "train": "train",
    "tune-gpu": "tune_gpu",
    "worker": "worker",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        found: click.Command = getattr(
            import_module(f"blox_worker.commands.{_MODULES[cmd_name]}"), cmd_name.replace("-", "_")
        )
        return found


@click.group(cls=_Verbs)
@click.version_option(package_name="blox")
def command() -> None:
    """Make a Blox benchmark: train its architectures and watch them."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
