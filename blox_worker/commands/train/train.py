"""`blox train`."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from blox_core.result.trainer_revision import TORCH
from blox_store import command_line
from blox_store.exit_codes import SUCCESS
from blox_store.settings import read_settings
from blox_store.store import JobState, Run, Store
from blox_worker.device.gpus import CPU
from blox_worker.device.slots import Slot, slots
from blox_worker.device.torch_device import checked_device
from blox_worker.job.outcome import Worker
from blox_worker.processes.launcher import launch_workers
from blox_worker.processes.lifeline import Lifeline
from blox_worker.settings import WorkerSettings
from blox_worker.wording import GO_ON, jobs_by_state
from blox_worker.worker.session import local_worker, train_launched, train_run


@click.command()
@click.option(
    "--local",
    is_flag=True,
    required=True,
    help="Train without a queue; 'blox worker' trains what a queue names.",
)
@click.option("--run", "run_id", type=int, help="Run to train, where the store has several.")
@click.option("--device", help="cpu, cuda or cuda:N; default: cuda if there is one, else cpu.")
@click.option("--gpus", help="all, cpu, or numbers such as 0,1: one process for each.")
@click.option(
    "--jobs-per-gpu", type=click.IntRange(1), help="Processes on each of --gpus; default: 1."
)
@click.option(
    "--data-dir",
    type=command_line.HomePath(path_type=Path),
    help="Default: BLOX_DATA_DIR, else data.",
)
@click.option("--slot", hidden=True, help="Name of the worker that this process is to be.")
@click.option("--lifeline", hidden=True, type=int, help="Its descriptor to the launcher.")
@command_line.database_option
def train(
    local: bool,
    run_id: int | None,
    device: str | None,
    gpus: str | None,
    jobs_per_gpu: int | None,
    data_dir: Path | None,
    slot: str | None,
    lifeline: int | None,
    database: str | None,
) -> int:
    """Train the jobs of a run that have not ended, until all have."""
    _check_options(device, gpus, jobs_per_gpu)
    settings = read_settings(WorkerSettings)
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    url = command_line.database_url(database)
    if slot is not None and lifeline is not None:
        worker = Worker(name=slot, device=device or CPU, settings=settings)
        return train_launched(url, run_id, worker, Lifeline(lifeline))
    if gpus is not None:
        places = slots(gpus, jobs_per_gpu or 1, settings, socket.gethostname())
        return _train_in_slots(url, run_id, places, settings)
    return _train_here(url, run_id, device, settings)


def _check_options(device: str | None, gpus: str | None, jobs_per_gpu: int | None) -> None:
    if device is not None and gpus is not None:
        raise click.UsageError("--device and --gpus: only one of them is allowed")
    if jobs_per_gpu is not None and gpus is None:
        raise click.UsageError("--jobs-per-gpu needs --gpus")


def _found(store: Store, run_id: int | None) -> Run:
    run = store.runs.find(run_id)
    if run.measures:
        raise click.UsageError(
            f"{run}: nothing is trained in it; run 'blox measure --device-name {run.dataset}'"
        )
    return run


def _train_here(url: str, run_id: int | None, device: str | None, settings: WorkerSettings) -> int:
    with Store(url) as store:
        run = _found(store, run_id)
        rehearsed = device is None and run.trainer != TORCH
        worker = local_worker(CPU if rehearsed else checked_device(device), settings)
        return train_and_say(store, run, worker)


def train_and_say(store: Store, run: Run, worker: Worker) -> int:
    """Train, or measure, what is left of a run, and say how it stands; return the exit code."""
    ended = train_run(store, run, worker)
    click.echo(f"{run}: {jobs_by_state(store.jobs.counts(run.id))}")
    if not ended:
        click.echo(GO_ON)
    return SUCCESS


def _train_in_slots(
    url: str, run_id: int | None, places: list[Slot], settings: WorkerSettings
) -> int:
    with Store(url) as store:
        run = _found(store, run_id)
        click.echo(f"{run}: workers {', '.join(place.name for place in places)}")
        verb = ["train", "--local", "--run", str(run.id), "--data-dir", str(settings.data_dir)]
        code = launch_workers(store, url, places, verb, settings=settings)
        counts = store.jobs.counts(run.id)
    click.echo(f"{run}: {jobs_by_state(counts)}")
    if code == SUCCESS and any(counts[state] for state in JobState if not state.ended):
        click.echo(GO_ON)
    return code
