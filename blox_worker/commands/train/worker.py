"""`blox worker`."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace

import click

from blox_store import command_line
from blox_store.exit_codes import SUCCESS
from blox_store.settings import read_settings
from blox_store.store import Store
from blox_worker.device.slots import measuring, slots
from blox_worker.job.outcome import Worker
from blox_worker.logs import tell
from blox_worker.patience import opened, patiently, unless_stopped
from blox_worker.processes.launcher import launch_workers
from blox_worker.processes.lifeline import Lifeline
from blox_worker.processes.stop import stop_requests
from blox_worker.settings import BrokerSettings, WorkerSettings
from blox_worker.worker.child import work_as_child


@click.command()
@click.option("--gpus", default="all", show_default=True, help="all, cpu, or numbers such as 0,1.")
@click.option(
    "--jobs-per-gpu",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Worker processes on each GPU, or on the CPU.",
)
@click.option("--stay", is_flag=True, help="When no worker is left, wait to be stopped.")
@click.option(
    "--measure",
    "measured",
    metavar="DEVICE_NAME",
    help="Measure latencies on the device that 'blox init-latency' has so named, and train nothing.",
)
@click.option("--slot", hidden=True, help="Name of the worker that this process is to be.")
@click.option("--device", hidden=True, help="Its torch device.")
@click.option("--lifeline", hidden=True, type=int, help="Its descriptor to the launcher.")
@command_line.database_option
def worker(
    gpus: str,
    jobs_per_gpu: int,
    stay: bool,
    measured: str | None,
    slot: str | None,
    device: str | None,
    lifeline: int | None,
    database: str | None,
) -> int:
    """Train, or measure, what the queue names, in one process per GPU, until asked to stop."""
    url = command_line.database_url(database)
    if slot is not None and device is not None and lifeline is not None:
        return _work(slot, device, Lifeline(lifeline), url, measured=measured)
    settings = read_settings(WorkerSettings)
    read_settings(BrokerSettings)
    if measured is not None and jobs_per_gpu > 1:
        raise click.UsageError("--measure: one process per GPU is allowed, not --jobs-per-gpu")
    chosen = slots(gpus, jobs_per_gpu, settings, socket.gethostname())
    if measured is not None:
        chosen = [replace(slot, name=measuring(slot.name)) for slot in chosen]
    store = _store_to_work_on(url)
    if store is None:
        return SUCCESS
    with store:
        if measured is not None:
            store.runs.find(measured=measured)  # which says what to do if there is none
        tell(f"workers {', '.join(one.name for one in chosen)}")
        verb = ["worker", *([] if measured is None else ["--measure", measured])]
        return launch_workers(store, url, chosen, verb, settings=settings, stays=stay)


def _store_to_work_on(url: str) -> Store | None:
    """Return the store once it is there, None if a stop is requested before."""
    with stop_requests() as stop, unless_stopped(stop):
        return opened(url, stop=stop)
    return None


def _work(
    name: str, device: str, lifeline: Lifeline, url: str, *, measured: str | None = None
) -> int:
    """Be one worker, until a stop is requested or the launcher is gone."""
    from blox_worker.queue.celery_app import make_app  # the launcher does without Celery
    from blox_worker.queue.consumer import consume

    settings, broker = read_settings(WorkerSettings), read_settings(BrokerSettings)

    def work(store: Store, stop: threading.Event) -> int:
        run_id = None  # those that train take jobs of any
        if measured is not None:
            run_id = patiently(lambda: store.runs.find(measured=measured), stop=stop).id
        app = make_app(
            broker.broker_url, store.id, measured=measured, timeout_s=broker.broker_timeout_s
        )
        return consume(
            app,
            store,
            Worker(name=name, device=device, settings=settings),
            stop=stop,
            lifeline=lifeline,
            run_id=run_id,
        )

    return work_as_child(url, lifeline, work, device=device)
