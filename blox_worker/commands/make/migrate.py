"""`blox migrate`."""

from __future__ import annotations

import click

from blox_store import command_line
from blox_store.store import Store


@click.command()
@command_line.database_option
def migrate(database: str | None) -> None:
    """Bring the store's schema to this version's revision."""
    with Store(command_line.database_url(database), migrate=True) as store:
        click.echo(f"{store.url} is up to date")
