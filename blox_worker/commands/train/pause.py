"""`blox pause` and `blox resume`."""

from __future__ import annotations

import click

from blox_store import command_line
from blox_store.store import JobState, Store
from blox_worker.wording import counted

_run_option = click.option("--run", "run_id", type=int, help="Which run, where there are several.")


@click.command()
@_run_option
@command_line.database_option
def pause(run_id: int | None, database: str | None) -> None:
    """Let no more jobs of a run start; those that run go on to their end."""
    with Store(command_line.database_url(database)) as store:
        run = store.runs.find(run_id)
        store.runs.set_paused(run.id, True)
        counts = store.jobs.counts(run.id)
    running = counts[JobState.RUNNING]
    go_on = f"{counted(running, 'running job')} {'goes' if running == 1 else 'go'} on to the end"
    click.echo(f"{run} is paused: no job starts, {go_on}; let it go on by 'blox resume'")


@click.command()
@_run_option
@command_line.database_option
def resume(run_id: int | None, database: str | None) -> None:
    """Let a paused run go on."""
    with Store(command_line.database_url(database)) as store:
        run = store.runs.find(run_id)
        store.runs.set_paused(run.id, False)
        counts = store.jobs.counts(run.id)
    waiting = counts[JobState.PENDING] + counts[JobState.QUEUED]
    click.echo(f"{run} goes on: {counted(waiting, 'job')} may start")
