"""The commands of `blox`, one verb a module, in a folder a group; each is loaded when it is asked for.

A worker is to start quickly, and a scheduler needs no torch.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any, Final

import click

from blox_core.errors import BloxError
from blox_store.exit_codes import FAILURE
from blox_worker.logs import is_for_programs, set_up_logging

logger = logging.getLogger(__name__)

# The module of each verb; it has a command of the verb's name, with _ for -.
_MODULES: Final = {
    "demo": "make.demo",
    "flower": "watch.flower",
    "health": "watch.health",
    "init": "make.init",
    "init-latency": "make.init_latency",
    "jobs": "watch.jobs",
    "measure": "train.measure",
    "migrate": "make.migrate",
    "pause": "train.pause",
    "report": "release.report",
    "resume": "train.pause",
    "retry": "train.retry",
    "scheduler": "train.scheduler",
    "show": "release.show",
    "status": "watch.status",
    "train": "train.train",
    "tune-gpu": "train.tune_gpu",
    "worker": "train.worker",
}

_WITH_DISPLAY: Final = ("train", "measure", "demo")


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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; where logs are for programs, what ends it is logged like the rest."""
        try:
            return super().invoke(ctx)
        except (BloxError, OSError) as error:
            if not is_for_programs():
                raise
            logger.error("%s", " ".join(str(error).split()))
            return FAILURE


@click.group(cls=_Verbs)
@click.version_option(package_name="blox")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Make a Blox benchmark: train its architectures and watch them."""
    set_up_logging(has_display=ctx.invoked_subcommand in _WITH_DISPLAY)
