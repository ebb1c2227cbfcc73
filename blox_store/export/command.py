"""The command that cuts a release."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from blox_core.space import SPACE_SIZE
from blox_core.space.index_spans import spans
from blox_store import command_line
from blox_store.export.card import CARD_FILE
from blox_store.export.chosen_jobs import Choice, ExportReport, Static
from blox_store.export.exporter import Report, export
from blox_store.release.names import ALL_FORMATS, FORMATS, SIMULATED_FILE
from blox_store.store import Store


def _formats(context: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip().removeprefix(".") for part in text.split(",")))
    for name in chosen:
        if name not in ALL_FORMATS:
            raise click.BadParameter(f"format {name!r}: {', '.join(ALL_FORMATS)} are allowed")
    return chosen


@click.command()
@click.option(
    "--out", required=True, type=command_line.HomePath(path_type=Path), help="Folder to write to."
)
@click.option("--run", "run_id", type=int, help="Run to export, where several fit.")
@click.option("--seed", type=int, help="Export the run of this seed.")
@click.option(
    "--formats",
    default=",".join(FORMATS),
    show_default=True,
    callback=_formats,
    help=f"Formats to write: some of {', '.join(ALL_FORMATS)}; the last needs pyarrow.",
)
@click.option(
    "--start",
    type=click.IntRange(0, SPACE_SIZE - 1),
    default=0,
    help="Export arch indices from this one on.",
)
@click.option(
    "--stop",
    type=click.IntRange(1, SPACE_SIZE),
    default=SPACE_SIZE,
    help="Export arch indices below this one.",
)
@click.option("--allow-partial", is_flag=True, help="Export although jobs are unfinished.")
@click.option("--include-diverged", is_flag=True, help="Export diverged ones too, padded with NaN.")
@click.option(
    "--static",
    type=click.Choice(get_args(Static)),
    default="finished",
    show_default=True,
    help=f"Params and FLOPs of what: the exported architectures, or all {SPACE_SIZE:,}.",
)
@click.option(
    "--predicted",
    is_flag=True,
    help="Predict latencies that were not measured; the manifest says which, and how well.",
)
@click.option("--simulated", is_flag=True, help="Export a simulated run, and mark it as one.")
@command_line.database_option
def command(
    out: Path,
    run_id: int | None,
    seed: int | None,
    formats: tuple[str, ...],
    start: int,
    stop: int,
    allow_partial: bool,
    include_diverged: bool,
    static: Static,
    predicted: bool,
    simulated: bool,
    database: str | None,
) -> None:
    """Write the finished architectures of a run as the files of a release."""
    if start >= stop:
        raise click.UsageError(f"--start {start} --stop {stop}: the former has to be smaller")
    choice = Choice(
        indices=range(start, stop),
        allow_partial=allow_partial,
        include_diverged=include_diverged,
        simulated=simulated,
        static=static,
        predicted=predicted,
    )
    with Store(command_line.database_url(database)) as store:
        run = store.runs.find(run_id, seed=seed)
        with _progress_bar() as report:
            done = export(store, run, out, formats=formats, choice=choice, report=report)
    click.echo(f"{run}: {done.architectures} architectures in {len(done.files)} files in {out}")
    if simulated:
        click.echo(f"its figures are made up, as {out / SIMULATED_FILE} says")
    _tell_what_is_not_there(out, done)


def _tell_what_is_not_there(out: Path, done: ExportReport) -> None:
    for what in ("diverged", "failed", "unfinished"):
        if indices := getattr(done, what):
            click.echo(f"left out, {what}: {spans(indices)}")
    for told in done.unpredicted:
        click.echo(f"left out, predictions: {told}")
    if not done.has_picture:
        click.echo(
            f"{out / CARD_FILE} has no picture: matplotlib is not installed; in the checkout of "
            "Blox run: pip install '.[plots]'"
        )


@contextmanager
def _progress_bar() -> Iterator[Report]:
    """Give what shows the progress on a terminal; elsewhere nothing is shown."""
    console = Console(stderr=True)
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("rows")
        yield lambda done, total: progress.update(task, completed=done, total=total)
