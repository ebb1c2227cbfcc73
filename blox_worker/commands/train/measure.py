"""`blox measure`."""

from __future__ import annotations

import click

from blox_store import command_line
from blox_store.settings import read_settings
from blox_store.store import Store
from blox_worker.commands.train.train import train_and_say
from blox_worker.device.gpus import CPU, CUDA
from blox_worker.settings import WorkerSettings
from blox_worker.worker.session import local_worker


@click.command()
@click.option(
    "--device-name",
    required=True,
    help="The device that this is, as 'blox init-latency' has named it.",
)
@command_line.database_option
def measure(device_name: str, database: str | None) -> int:
    """Measure the latencies that a run asks for on this device, until all have been.

    It needs no queue; 'blox worker --measure' measures what a queue names.
    """
    settings = read_settings(WorkerSettings)
    with Store(command_line.database_url(database)) as store:
        run = store.runs.find(measured=device_name)
        worker = local_worker(CUDA if run.protocol.on_cuda else CPU, settings, measures=True)
        return train_and_say(store, run, worker)
