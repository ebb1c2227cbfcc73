"""`blox status`."""

from __future__ import annotations

import click
from rich import box
from rich.console import Console
from rich.table import Table

from blox_store import command_line
from blox_store.store import Job, JobState, Run, Store
from blox_worker.display import name_of


@click.command()
@click.option("--run", "run_id", type=int, help="Show this run alone.")
@command_line.database_option
def status(run_id: int | None, database: str | None) -> None:
    """Show each run's jobs by state, the running ones, and those that failed."""
    with Store(command_line.database_url(database)) as store:
        runs = store.runs.all() if run_id is None else [store.runs.find(run_id)]
        console = Console(highlight=False, markup=False)
        if not runs:
            console.print("the store has no run; make one by 'blox init'")
        for run in runs:
            _show(console, store, run)


def _show(console: Console, store: Store, run: Run) -> None:
    counts = store.jobs.counts(run.id)
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    paused = " (paused)" if run.paused else ""
    console.print(f"{run}{paused}: {states or 'no jobs'}", soft_wrap=True)
    for state, table in ((JobState.RUNNING, _running_table), (JobState.FAILED, _failed_table)):
        if jobs := store.jobs.matching(run.id, state):
            console.print(table(run, jobs))


def _running_table(run: Run, jobs: list[Job]) -> Table:
    table = _table("job", "worker", "epoch", "lease ends in")
    for job in jobs:
        left = job.lease_left_s or 0.0
        ends = f"{left:.0f} s" if left > 0 else "expired"
        epoch = f"{job.epoch}/{run.recipe['epochs']}"
        table.add_row(name_of(job.arch_index), job.worker, epoch, ends)
    return table


def _failed_table(run: Run, jobs: list[Job]) -> Table:
    table = _table("failed job", "attempts", "error")
    for job in jobs:
        last_line = (job.error or "").strip().rpartition("\n")[-1]
        table.add_row(name_of(job.arch_index), str(job.attempts), last_line)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading)
    return table
