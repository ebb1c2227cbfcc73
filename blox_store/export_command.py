"""The command that cuts a release."""

from __future__ import annotations

from pathlib import Path

import click

from blox_store import command_line
from blox_store.exporter import export
from blox_store.release.names import FORMATS
from blox_store.simulated_marker import SIMULATED_FILE
from blox_store.store import Store


def _formats(context: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip().removeprefix(".") for part in text.split(",")))
    for name in chosen:
        if name not in FORMATS:
            raise click.BadParameter(f"format {name!r}: {', '.join(FORMATS)} are allowed")
    return chosen


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--run", "run_id", type=int, help="Run to export, where several fit.")
@click.option("--seed", type=int, help="Export the run of this seed.")
@click.option(
    "--formats",
    default=",".join(FORMATS),
    show_default=True,
    callback=_formats,
    help="Formats to write.",
)
@click.option("--allow-partial", is_flag=True, help="Export although jobs are unfinished.")
@click.option("--simulated", is_flag=True, help="Export a simulated run, and mark it as one.")
@command_line.database_option
def command(
    out: Path,
    run_id: int | None,
    seed: int | None,
    formats: tuple[str, ...],
    allow_partial: bool,
    simulated: bool,
    database: str | None,
) -> None:
    """Write the finished architectures of a run as the files of a release."""
    with Store(command_line.database_url(database)) as store:
        run = store.runs.find(run_id, seed=seed)
        report = export(
            store, run, out, formats=formats, allow_partial=allow_partial, simulated=simulated
        )
    click.echo(f"{run}: {report.architectures} architectures in {len(report.files)} files in {out}")
    if simulated:
        click.echo(f"its figures are made up, as {out / SIMULATED_FILE} says")
    for what in ("diverged", "failed", "unfinished"):
        if indices := getattr(report, what):
            click.echo(f"left out, {what}: {', '.join(map(str, indices))}")
