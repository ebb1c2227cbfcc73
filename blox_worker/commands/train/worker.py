"""`blox worker`."""

from __future__ import annotations

import os
import socket
import sys
import threading
from dataclasses import replace

import click

from blox_store import command_line
from blox_store.errors import SchemaMismatch
from blox_store.exit_codes import SUCCESS
from blox_store.settings import PREFIX, read_settings
from blox_store.store import Store
from blox_worker.device.gpus import CPU
from blox_worker.device.slots import Slot, measuring, slots
from blox_worker.device.torch_device import checked_device
from blox_worker.errors import DeviceMissing
from blox_worker.job.outcome import Worker
from blox_worker.logs import tell
from blox_worker.patience import opened, patiently, unless_stopped
from blox_worker.processes.launcher import launch
from blox_worker.processes.lifeline import Lifeline
from blox_worker.processes.stop import stop_requests
from blox_worker.settings import BrokerSettings, WorkerSettings


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
        os.environ[f"{PREFIX}DATABASE_URL"] = url  # not on a command line: it may hold a password
        tell(f"workers {', '.join(one.name for one in chosen)}")
        return launch(
            chosen,
            lambda one, line: _command(one, line, measured),
            settings=settings,
            on_stopped=lambda one, why: _given_up(store, one, why),
            stays=stay,
        )


def _store_to_work_on(url: str) -> Store | None:
    """Return the store once it is there, None if a stop is requested before."""
    with stop_requests() as stop, unless_stopped(stop):
        return opened(url, stop=stop)
    return None


def _command(slot: Slot, lifeline: int, measured: str | None) -> list[str]:
    own = ["--slot", slot.name, "--device", slot.device, "--lifeline", str(lifeline)]
    what = [] if measured is None else ["--measure", measured]
    return [sys.executable, "-P", "-m", "blox_worker.entry", "worker", *own, *what]


def _given_up(store: Store, slot: Slot, reason: str) -> None:
    patiently(lambda: store.workers.stop(slot.name, reason), stop=threading.Event())


def _check_device(device: str, lifeline: Lifeline) -> None:
    """See that the GPU is there before a job is claimed; this loads torch."""
    try:
        checked_device(device)
    except DeviceMissing as error:
        lifeline.fault(str(error))
        raise


def _only_run(store: Store, measured: str | None, stop: threading.Event) -> int | None:
    """Return the run that measures on a device; those that train take jobs of any."""
    if measured is None:
        return None
    return patiently(lambda: store.runs.find(measured=measured), stop=stop).id


def _work(
    name: str, device: str, lifeline: Lifeline, url: str, *, measured: str | None = None
) -> int:
    """Be one worker, until a stop is requested or the launcher is gone."""
    from blox_worker.queue.celery_app import make_app  # the launcher does without Celery
    from blox_worker.queue.consumer import consume

    settings, broker = read_settings(WorkerSettings), read_settings(BrokerSettings)
    with stop_requests(launched=True) as stop, unless_stopped(stop):
        lifeline.on_parent_death(stop.set)
        if device != CPU:
            _check_device(device, lifeline)
        try:
            store = opened(url, stop=stop)
        except SchemaMismatch as error:  # the next start would end alike
            return lifeline.useless(str(error))
        with store:
            app = make_app(
                broker.broker_url,
                store.id,
                measured=measured,
                timeout_s=broker.broker_timeout_s,
            )
            return consume(
                app,
                store,
                Worker(name=name, device=device, settings=settings),
                stop=stop,
                lifeline=lifeline,
                run_id=_only_run(store, measured, stop),
            )
    return SUCCESS
