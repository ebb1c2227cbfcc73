"""`blox init`."""

from __future__ import annotations

import re

import click

from blox_core.errors import RecipeError
from blox_core.recipe import PRESETS, Recipe, preset
from blox_core.recipe_fields import SEED_LIMIT
from blox_core.space import SPACE_SIZE
from blox_store import command_line
from blox_store.store import Store
from blox_worker.new_run import make_run

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def parse_indices(text: str) -> list[int]:
    """Return the arch indices of `0-9,77`, without repetitions; raise click.BadParameter."""
    chosen: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise click.BadParameter(f"{part!r}: numbers and ranges such as 0-9,77 are allowed")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < SPACE_SIZE:
            raise click.BadParameter(
                f"{part!r}: arch indices from 0 to {SPACE_SIZE - 1}, the smaller first, are allowed"
            )
        chosen.update(range(first, last + 1))
    return sorted(chosen)


def _indices(context: click.Context, option: click.Parameter, text: str | None) -> list[int]:
    return list(range(SPACE_SIZE)) if text is None else parse_indices(text)


def _recipe(context: click.Context, option: click.Parameter, name: str) -> Recipe:
    try:
        return preset(name)
    except RecipeError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--recipe", required=True, callback=_recipe, help=f"One of {', '.join(PRESETS)}.")
@click.option(
    "--seed", required=True, type=click.IntRange(0, SEED_LIMIT - 1), help="Seed of every training."
)
@click.option(
    "--indices",
    callback=_indices,
    metavar="0-9,77",
    help=f"Arch indices to train; default: all {SPACE_SIZE:,}.",
)
@command_line.database_option
def init(recipe: Recipe, seed: int, indices: list[int], database: str | None) -> None:
    """Make a run and its jobs, or add jobs to a run; makes the store if there is none."""
    with Store(command_line.database_url(database), migrate=True) as store:
        click.echo("params and FLOPs of all architectures: computed once, seconds to a minute")
        made = make_run(store, recipe, seed=seed, indices=indices)
        click.echo(f"{'made' if made.is_new else 'found'} {made.run}")
        click.echo(f"{made.jobs_added} jobs added, {len(indices) - made.jobs_added} were there")
