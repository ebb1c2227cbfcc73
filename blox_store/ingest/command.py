"""The command that takes a release into the store."""

from __future__ import annotations

from pathlib import Path

import click

from blox_core.recipe import PRESETS, preset
from blox_core.result.trainer_revision import UNKNOWN_REVISION
from blox_store import command_line
from blox_store.ingest.incoming import IncomingRelease
from blox_store.ingest.ingestion import ingest
from blox_store.store import Store


@click.command()
@click.argument("folder", metavar="DIR", type=command_line.HomePath(path_type=Path))
@click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(PRESETS)),
    help="How the release was trained, where it has no manifest that says so.",
)
@click.option(
    "--trainer-revision",
    type=click.IntRange(0),
    help="Revision of the trainer whose results these are taken for, where there is no manifest; "
    f"default: {UNKNOWN_REVISION}, of the published Blox.",
)
@click.option("--allow-pickle", is_flag=True, help="Read .pickle files where there are no others.")
@command_line.database_option
def command(
    folder: Path,
    recipe_name: str | None,
    trainer_revision: int | None,
    allow_pickle: bool,
    database: str | None,
) -> None:
    """Take the seeds of a release into the store, each as a run that has ended."""
    release = IncomingRelease(
        folder,
        recipe=None if recipe_name is None else preset(recipe_name),
        trainer_revision=trainer_revision,
        allow_pickle=allow_pickle,
    )
    with Store(command_line.database_url(database), migrate=True) as store:
        for taken in ingest(store, release):
            click.echo(f"{taken.run}: {taken.added} results added, {taken.there} were there")
    for device in release.predicted():
        click.echo(
            f"left out: latencies on {device}, of which some are predicted and nobody can tell which; "
            "a store has measured ones"
        )
