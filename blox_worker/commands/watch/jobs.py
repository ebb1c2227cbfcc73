"""`blox jobs`."""

from __future__ import annotations

import json

import click

from blox_store import command_line
from blox_store.store import JobState, Store
from blox_worker.status.job_list import listed_jobs
from blox_worker.status.job_view import job_lines, trouble_lines


@click.command()
@click.option("--run", "run_id", type=int, help="Run to list, where the store has several.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in JobState]),
    help="List the jobs in this state; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--traceback",
    is_flag=True,
    help="Show whole errors and each attempt; always so for --state failed alone.",
)
@command_line.database_option
def jobs(
    run_id: int | None,
    states: tuple[str, ...],
    as_json: bool,
    traceback: bool,
    database: str | None,
) -> None:
    """List the jobs of a run, and what went wrong with them."""
    chosen = [JobState(state) for state in states]
    detailed = traceback or set(chosen) == {JobState.FAILED}
    with Store(command_line.database_url(database)) as store:
        run = store.runs.find(run_id)
        listed = listed_jobs(store, run, chosen, with_history=detailed)
    if as_json:
        click.echo(json.dumps({"run": run.id, "jobs": [job.to_dict() for job in listed]}, indent=2))
        return
    click.echo("\n".join(job_lines(listed)) if listed else _none(str(run), chosen))
    if detailed:
        for line in trouble_lines(listed):
            click.echo(line)


def _none(run: str, states: list[JobState]) -> str:
    return f"{run}: no job" + (f" is {' or '.join(states)}" if states else "")
