"""`blox report`."""

from __future__ import annotations

from pathlib import Path

import click

from blox_core.atomic_file import replace_file
from blox_store.command_line import HomePath
from blox_store.report import report_page


@click.command()
@click.argument("release", type=HomePath(path_type=Path))
@click.option(
    "--out",
    type=HomePath(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="File to write.",
)
def report(release: Path, out: Path) -> None:
    """Explain a release in one HTML page that fetches nothing: plots, rankings, costs."""
    page = report_page(release)
    replace_file(out, [page])
    click.echo(f"{out}: {len(page) / 1e6:.1f} MB, all in one file")
