"""`blox show`."""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

import click

from blox_core.atomic_file import replace_file
from blox_core.recipe import PRESETS, preset
from blox_core.space import Architecture
from blox_store import command_line
from blox_store.report.architecture_picture import Format, architecture_picture
from blox_store.settings import StoreSettings, read_settings
from blox_store.store import Store
from blox_worker.commands.arguments import parse_architecture
from blox_worker.commands.console import console
from blox_worker.show.facts import (
    ArchitectureFacts,
    computed_facts,
    facts_in_release,
    facts_in_store,
)
from blox_worker.show.view import architecture_view, fact_lines, result_lines

_FORMATS: Final = {f".{name}": name for name in get_args(Format)}


def _picture_file(
    context: click.Context, option: click.Parameter, path: Path | None
) -> Path | None:
    if path is not None and path.suffix not in _FORMATS:
        raise click.BadParameter(f"{path}: a name that ends in {' or '.join(_FORMATS)} is allowed")
    return path


@click.command()
@click.argument("architecture", metavar="ARCH", type=parse_architecture)
@click.option(
    "--release",
    type=command_line.HomePath(path_type=Path),
    help="Folder of a release, whose results and latencies are shown.",
)
@click.option(
    "--recipe",
    type=click.Choice(list(PRESETS)),
    help="Whose classes and sizes params and FLOPs are for, where nothing is looked into.",
)
@click.option(
    "--out",
    type=command_line.HomePath(path_type=Path, dir_okay=False),
    callback=_picture_file,
    help="Write a picture of the cells to this .svg or .png file too.",
)
@command_line.database_option
def show(
    architecture: Architecture,
    release: Path | None,
    recipe: str | None,
    out: Path | None,
    database: str | None,
) -> None:
    """Draw the cells of an architecture, and say what is known of it.

    ARCH is an arch index, a model hash, or an arch vector. A store is looked into if --database or
    BLOX_DATABASE_URL names one.
    """
    facts = _facts(architecture, release, recipe, database)
    console().print(architecture_view(facts))
    if out is not None:
        lines = [*fact_lines(facts), *result_lines(facts)]
        replace_file(out, [architecture_picture(architecture, lines, _FORMATS[out.suffix])])
        click.echo(f"drawn in {out}")


def _facts(
    architecture: Architecture, release: Path | None, recipe: str | None, database: str | None
) -> ArchitectureFacts:
    named = database or _database_of_settings()
    if sum(given is not None for given in (release, recipe, database)) > 1:
        raise click.UsageError("--release, --recipe, --database: give one of them")
    if release is not None:
        return facts_in_release(architecture, release)
    if recipe is not None or named is None:
        return computed_facts(architecture, preset(recipe or "cifar100"))
    with Store(named) as store:
        return facts_in_store(architecture, store)


def _database_of_settings() -> str | None:
    """Return the URL in the environment; without one there need not be a store."""
    settings = read_settings(StoreSettings)
    return settings.database_url if "database_url" in settings.model_fields_set else None
