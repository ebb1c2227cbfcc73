"""`blox status`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Final

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from blox_store import command_line
from blox_store.errors import StoreUnavailable
from blox_store.store import Store
from blox_worker.commands.console import console
from blox_worker.processes.stop import stop_requests
from blox_worker.status.run_status import StoreStatus, store_status
from blox_worker.status.status_view import status_view

_EVERY_S: Final = 2.0


@click.command()
@click.option("--run", "run_id", type=int, help="Show this run alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--watch", is_flag=True, help="Show it again and again until Ctrl-C.")
@click.option(
    "--every",
    "every_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    help=f"Time between two looks of --watch; default: {_EVERY_S:g}.",
)
@command_line.database_option
def status(
    run_id: int | None, as_json: bool, watch: bool, every_s: float | None, database: str | None
) -> None:
    """Show each run's jobs, rate and ETA, the workers, and what failed."""
    if every_s is not None and not watch:
        raise click.UsageError("--every is for --watch")
    with Store(command_line.database_url(database)) as store:
        if not watch:
            _show_once(store_status(store, run_id), as_json)
            return
        watched = _watch_as_json if as_json else _watch_as_text
        watched(lambda: store_status(store, run_id), every_s or _EVERY_S)


def _show_once(shown: StoreStatus, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(shown), indent=2))
    else:
        console().print(status_view(shown))


def _watch_as_json(look: Callable[[], StoreStatus], every_s: float) -> None:
    with stop_requests() as stop:
        while not stop.is_set():
            try:
                click.echo(json.dumps(asdict(look())))
            except StoreUnavailable as error:
                click.echo(f"blox status: {error}", err=True)
            stop.wait(every_s)


def _watch_as_text(look: Callable[[], StoreStatus], every_s: float) -> None:
    known: RenderableType = ""
    with stop_requests() as stop, _screen() as draw:
        while not stop.is_set():
            try:
                known = status_view(look())
                draw(known)
            except StoreUnavailable as error:
                draw(Group(known, Text(f"out of date: {error}")))
            stop.wait(every_s)


@contextmanager
def _screen() -> Iterator[Callable[[RenderableType], None]]:
    """Give what draws over the last drawing, on a terminal, and below it elsewhere."""
    where = console()
    if not where.is_interactive:
        yield where.print
        return
    with Live(console=where, auto_refresh=False) as live:
        yield partial(live.update, refresh=True)
