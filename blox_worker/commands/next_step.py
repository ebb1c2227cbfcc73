"""What is said after jobs were added to a run, or are to be tried again: what is left to type."""

from __future__ import annotations

import click

from blox_core.result.trainer_revision import TORCH
from blox_store.store import MadeRun, Run, Store
from blox_worker.wording import counted


def tell_made(store: Store, made: MadeRun, *, asked: int) -> None:
    """Say what became of a run that was to have so many jobs, and what is left to type."""
    protocol = f": {made.run.protocol}" if made.run.measures else ""
    click.echo(f"{'made' if made.is_new else 'found'} {made.run}{protocol}")
    there = asked - made.jobs_added
    verb = "was" if there == 1 else "were"
    click.echo(f"{counted(made.jobs_added, 'job')} added, {there:,} {verb} there")
    if not made.run.measures and made.run.trainer != TORCH:
        click.echo("a simulation: all of the run is real but its figures, which are made up")
    click.echo(next_step(store, made.run))


def next_step(store: Store, run: Run) -> str:
    """Return how a run is trained or measured, or that a scheduler looks after it already."""
    holder = store.schedulers.holder(run.id)
    if holder is not None:
        return f"scheduler {holder} looks after it"
    if run.measures:
        return (
            f"no scheduler is active; measure it by 'blox measure --device-name {run.dataset}', or "
            f"on a cluster by 'blox scheduler --measure {run.dataset}' and 'blox worker "
            f"--measure {run.dataset}'"
        )
    return (
        f"no scheduler is active; train it by 'blox train --local --run {run.id}', or on a "
        f"cluster by 'blox scheduler --run {run.id}' and 'blox worker'"
    )
