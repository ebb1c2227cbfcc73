"""`blox init`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from blox_core.recipe import Recipe
from blox_core.recipe.fields import SEED_LIMIT
from blox_core.space import SPACE_SIZE
from blox_store import command_line
from blox_store.settings import read_settings
from blox_store.store import Store
from blox_worker.commands.arguments import changed, job_options, recipe_options
from blox_worker.commands.next_step import tell_made
from blox_worker.job.trainers import TRAINERS
from blox_worker.new_run import make_run
from blox_worker.settings import RunSettings


@click.command()
@recipe_options()
@click.option(
    "--seed", required=True, type=click.IntRange(0, SEED_LIMIT - 1), help="Seed of every training."
)
@job_options("train", "trained")
@click.option(
    "--trainer",
    type=click.Choice(list(TRAINERS)),
    help="simulated: made-up figures, to rehearse; default: BLOX_TRAINER, else torch.",
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
    indices: list[int] | None,
    trainer: str | None,
    priority: int,
    beside: bool,
    database: str | None,
) -> None:
    """Make a run and its jobs, or add jobs to a run; makes the store if there is none."""
    recipe = changed(recipe, changes)
    trainer = trainer or read_settings(RunSettings).trainer
    chosen = range(SPACE_SIZE) if indices is None else indices
    with Store(command_line.database_url(database), migrate=True) as store:
        made = make_run(
            store,
            recipe,
            seed=seed,
            indices=chosen,
            trainer=trainer,
            priority=priority,
            beside=beside,
        )
        tell_made(store, made, asked=len(chosen))
