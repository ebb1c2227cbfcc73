"""`blox train`."""

from __future__ import annotations

from pathlib import Path

import click

from blox_store import command_line
from blox_store.settings import read_settings
from blox_store.store import JobState, Run, Store
from blox_worker.device import checked_device
from blox_worker.settings import WorkerSettings
from blox_worker.training_session import local_worker, train_run


@click.command()
@click.option(
    "--local",
    is_flag=True,
    required=True,
    help="Train in this process, without servers; the only way that this version knows.",
)
@click.option("--run", "run_id", type=int, help="Run to train, where the store has several.")
@click.option("--device", help="cpu, cuda or cuda:N; default: cuda if there is one, else cpu.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Default: BLOX_DATA_DIR, else data."
)
@command_line.database_option
def train(
    local: bool, run_id: int | None, device: str | None, data_dir: Path | None, database: str | None
) -> None:
    """Train the jobs of a run that have not ended, until all have."""
    settings = read_settings(WorkerSettings)
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    with Store(command_line.database_url(database)) as store:
        run = store.runs.find(run_id)
        worker = local_worker(checked_device(device), settings)
        ended = train_run(store, run, worker)
        counts = store.jobs.counts(run.id)
    click.echo(_summary(run, counts))
    if not ended:
        click.echo("stopped; run the same command again to go on where it stopped")


def _summary(run: Run, counts: dict[JobState, int]) -> str:
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{run}: {states or 'no jobs'}"
