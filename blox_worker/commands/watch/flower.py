"""`blox flower`."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from pathlib import Path
from typing import Final

import click

from blox_store import command_line
from blox_store.errors import SettingsError
from blox_store.exit_codes import SUCCESS
from blox_store.settings import read_settings
from blox_worker.patience import opened, unless_stopped
from blox_worker.processes.stop import stop_requests
from blox_worker.queue.celery_app import make_app
from blox_worker.settings import BrokerSettings, FlowerSettings

_LOCAL: Final = "localhost"
_PAIR: Final = re.compile(r"[!-9;-~]+:[ -~]+")  # HTTP knows no other letters than ASCII's


@click.command()
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=5555, show_default=True, type=click.IntRange(1, 65_535), help="Its port."
)
@click.option(
    "--db",
    "file",
    type=command_line.HomePath(path_type=Path, dir_okay=False),
    help="File that keeps what Flower knows while it does not run.",
)
@command_line.database_option
def flower(address: str, port: int, file: Path | None, database: str | None) -> int:
    """Show workers and tasks in a browser, until asked to stop; nothing can be changed there."""
    credentials = _credentials(address)
    broker = read_settings(BrokerSettings)
    if file is not None:
        _check_folder(file.absolute().parent)
    with stop_requests() as stop, unless_stopped(stop):
        with opened(command_line.database_url(database), stop=stop) as store:
            app = make_app(broker.broker_url, store.id, timeout_s=broker.broker_timeout_s)
        from blox_worker.queue import flower  # Flower makes its metrics when it is loaded

        made = flower.listening(app, address=address, port=port, credentials=credentials, file=file)
        click.echo(f"Flower is at http://{address}:{port}")
        flower.serve(made, stop)
        # Flower's threads would wait for a broker that is away before they let the process end.
        logging.shutdown()
        os._exit(SUCCESS)
    return SUCCESS


def _credentials(address: str) -> list[str]:
    """Return the `user:password` pairs that are asked for; none are, if only this machine sees it."""
    given = read_settings(FlowerSettings).basic_auth.get_secret_value()
    if not given and _is_loopback(address):
        return []
    pairs = given.split(",")
    if not all(map(_PAIR.fullmatch, pairs)):
        what = "is not of that form" if given else "is not set"
        raise SettingsError(
            f"FLOWER_BASIC_AUTH {what}: USER:PASSWORD in ASCII is required to listen on {address}; "
            f"set it, or listen on 127.0.0.1 alone"
        )
    return pairs


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == _LOCAL


def _check_folder(folder: Path) -> None:
    """See that Flower's file can be written: it would say so at its end alone."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise SettingsError(f"--db: {folder} is no folder that can be written to; make it first")
