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

logger = logging.getLogger(__name__)

# The module of each verb, which has a command of the verb's name (with _ for -), and what it does.
_VERBS: Final = {
    "demo": ("make.demo", "Train small models, release them, query the release."),
    "flower": ("watch.flower", "Show workers and tasks in a browser."),
    "health": ("watch.health", "Say whether the store, a scheduler or a worker is healthy."),
    "init": ("make.init", "Make a run and its jobs, or add jobs to it."),
    "init-latency": ("make.init_latency", "Make a run that measures latencies on a device."),
    "jobs": ("watch.jobs", "List the jobs of a run, and what went wrong with them."),
    "measure": ("train.measure", "Measure the latencies that a run asks for, on this device."),
    "migrate": ("make.migrate", "Bring the store's schema to this version's revision."),
    "pause": ("train.pause", "Let no more jobs of a run start."),
    "report": ("release.report", "Explain a release in one HTML page."),
    "resume": ("train.pause", "Let a paused run go on."),
    "retry": ("train.retry", "Give failed jobs all their attempts again."),
    "scheduler": ("train.scheduler", "Keep the queue filled with the jobs of a run."),
    "show": ("release.show", "Draw an architecture, and say what is known of it."),
    "status": ("watch.status", "Show each run's jobs, the workers, and what failed."),
    "train": ("train.train", "Train the jobs of a run, without a queue."),
    "tune-gpu": ("train.tune_gpu", "Time how many jobs a GPU trains best side by side."),
    "worker": ("train.worker", "Train, or measure, what the queue names."),
}

_WITH_DISPLAY: Final = ("train", "measure", "demo")


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module, _ = _VERBS[cmd_name]
        found: click.Command = getattr(
            import_module(f"blox_worker.commands.{module}"), cmd_name.replace("-", "_")
        )
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, help_text) for verb, (_, help_text) in _VERBS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; where logs are for programs, what ends it is logged like the rest."""
        from blox_worker.logs import is_for_programs  # not for `--help`: it takes half a second

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
    from blox_worker.logs import set_up_logging  # not for `--help`

    set_up_logging(has_display=ctx.invoked_subcommand in _WITH_DISPLAY)
