"""`blox demo`."""

from __future__ import annotations

from pathlib import Path

import click

from blox_store.command_line import HomePath
from blox_store.exit_codes import INTERRUPTED, SUCCESS
from blox_worker.demo import DEMO_INDICES, run_demo


@click.command()
@click.option("--dir", "folder", required=True, type=HomePath(path_type=Path, file_okay=False))
@click.option(
    "--architectures",
    default=len(DEMO_INDICES),
    show_default=True,
    type=click.IntRange(1, len(DEMO_INDICES)),
    help="How many to train.",
)
@click.option("--epochs", type=click.IntRange(1), help="Default: those of the recipe digits.")
@click.option("--database", metavar="URL", help="Default: a SQLite file in the folder.")
def demo(folder: Path, architectures: int, epochs: int | None, database: str | None) -> int:
    """Train small models on handwritten digits, cut a release, and query it.

    Started again, it goes on where it was interrupted.
    """
    finished = run_demo(folder, architectures=architectures, epochs=epochs, database=database)
    return SUCCESS if finished else INTERRUPTED
