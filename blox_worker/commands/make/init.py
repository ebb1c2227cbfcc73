"""`blox init`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from blox_core.recipe import Recipe
from blox_core.recipe.fields import SEED_LIMIT
from blox_core.simulation import SIMULATED
from blox_core.space import SPACE_SIZE
from blox_store import command_line
from blox_store.settings import read_settings
from blox_store.store import MadeRun, Store
from blox_store.store.values import MAX_PRIORITY
from blox_worker.commands.arguments import changed, given_indices, recipe_options
from blox_worker.commands.next_step import next_step
from blox_worker.job.trainers import TRAINERS
from blox_worker.new_run import make_run
from blox_worker.settings import RunSettings
from blox_worker.wording import counted


def _indices(context: click.Context, option: click.Parameter, text: str | None) -> list[int]:
    indices = given_indices(context, option, text)
    return list(range(SPACE_SIZE)) if indices is None else indices


@click.command()
@recipe_options()
@click.option(
    "--seed", required=True, type=click.IntRange(0, SEED_LIMIT - 1), help="Seed of every training."
)
@click.option(
    "--indices",
    callback=_indices,
    metavar="0-9,77",
    help=f"Arch indices to train; default: all {SPACE_SIZE:,}.",
)
@click.option(
    "--trainer",
    type=click.Choice(list(TRAINERS)),
    help="simulated: made-up figures, to rehearse; default: BLOX_TRAINER, else torch.",
)
@click.option(
    "--priority",
    type=click.IntRange(0, MAX_PRIORITY),
    default=0,
    show_default=True,
    help="Of the jobs that are added; those of a higher one are trained sooner.",
)
@click.option(
    "--beside",
    is_flag=True,
    help="Make a run of a seed that an earlier revision of the trainer has begun.",
)
@command_line.database_option
def init(
    recipe: Recipe,
    changes: Mapping[str, Any],
    seed: int,
    indices: list[int],
    trainer: str | None,
    priority: int,
    beside: bool,
    database: str | None,
) -> None:
    """Make a run and its jobs, or add jobs to a run; makes the store if there is none."""
    recipe = changed(recipe, changes)
    trainer = trainer or read_settings(RunSettings).trainer
    with Store(command_line.database_url(database), migrate=True) as store:
        made = make_run(
            store,
            recipe,
            seed=seed,
            indices=indices,
            trainer=trainer,
            priority=priority,
            beside=beside,
        )
        _show(made, were_there=len(indices) - made.jobs_added)
        click.echo(next_step(store, made.run))


def _show(made: MadeRun, *, were_there: int) -> None:
    click.echo(f"{'made' if made.is_new else 'found'} {made.run}")
    verb = "was" if were_there == 1 else "were"
    click.echo(f"{counted(made.jobs_added, 'job')} added, {were_there:,} {verb} there")
    if made.run.trainer == SIMULATED:
        click.echo("a simulation: all of the run is real but its figures, which are made up")
