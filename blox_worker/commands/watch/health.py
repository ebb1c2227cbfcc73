"""`blox health`."""

from __future__ import annotations

import socket

import click

from blox_store import command_line
from blox_store.store import Store
from blox_worker.status.health import CHECKS


@click.command()
@click.argument("what", type=click.Choice(list(CHECKS)), default="store")
@command_line.database_option
def health(what: str, database: str | None) -> None:
    """Say whether the store, or this host's scheduler or workers, are well; 1 if not."""
    with Store(command_line.database_url(database)) as store:
        click.echo(CHECKS[what](store, socket.gethostname()))
