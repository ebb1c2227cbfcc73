"""`blox retry`."""

from __future__ import annotations

from typing import Final

import click

from blox_store import command_line
from blox_store.store import JobState, Run, Store
from blox_store.store.values import MAX_PRIORITY
from blox_worker.commands.arguments import given_indices
from blox_worker.commands.next_step import next_step
from blox_worker.wording import counted

_NAMED: Final = 5  # jobs that a message names


@click.command()
@click.argument("indices", required=False, type=given_indices, metavar="[INDICES]")
@click.option("--all", "every", is_flag=True, help="Every failed job of the run.")
@click.option(
    "--priority",
    type=click.IntRange(0, MAX_PRIORITY),
    help="New priority of these jobs, 9 first; default: as it was.",
)
@click.option("--run", "run_id", type=int, help="Run of the jobs, where the store has several.")
@command_line.database_option
def retry(
    indices: list[int] | None,
    every: bool,
    priority: int | None,
    run_id: int | None,
    database: str | None,
) -> None:
    """Give failed jobs, INDICES such as 0-9,77, all their attempts again."""
    if (indices is not None) == every:
        raise click.UsageError("either INDICES such as 0-9,77 or --all is allowed")
    with Store(command_line.database_url(database)) as store:
        run = store.runs.find(run_id)
        if indices is not None:
            _refuse_others(store, run, indices)
        retried = store.jobs.retry(run.id, indices, priority=priority)
        click.echo(f"{run}: {counted(len(retried), 'failed job')} to be tried again")
        if retried:
            click.echo(next_step(store, run))


def _refuse_others(store: Store, run: Run, indices: list[int]) -> None:
    failed = {job.arch_index for job in store.jobs.matching(run.id, JobState.FAILED)}
    others = [index for index in indices if index not in failed]
    if not others:
        return
    named = ", ".join(map(str, others[:_NAMED])) + (", ..." if len(others) > _NAMED else "")
    have = "has" if len(others) == 1 else "have"
    raise click.ClickException(
        f"{run}: {counted(len(others), 'job')} {have} not failed: {named}; nothing was changed, "
        f"see 'blox jobs --run {run.id} --state failed'"
    )
