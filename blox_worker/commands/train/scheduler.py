"""`blox scheduler`."""

from __future__ import annotations

import os
import socket

import click

from blox_store import command_line
from blox_store.settings import read_settings
from blox_worker.logs import tell
from blox_worker.patience import opened, patiently, unless_stopped
from blox_worker.processes.stop import stop_requests
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import make_app
from blox_worker.queue.scheduler import ORDERS, Scheduler
from blox_worker.reaper import Reaper
from blox_worker.settings import BrokerSettings, MetricsSettings, WorkerSettings
from blox_worker.status.metrics import ClusterCollector, serving
from blox_worker.wording import GO_ON, jobs_by_state


@click.command()
@click.option("--run", "run_id", type=int, help="Run to schedule, where the store has several.")
@click.option(
    "--measure",
    "measured",
    metavar="DEVICE_NAME",
    help="Schedule the run that measures latencies on the device that is so named.",
)
@click.option(
    "--order",
    type=click.Choice(list(ORDERS)),
    default="index",
    show_default=True,
    help="Order of jobs of the same priority.",
)
@click.option("--stay", is_flag=True, help="Go on when all jobs have ended, for more of them.")
@command_line.database_option
def scheduler(
    run_id: int | None, measured: str | None, order: str, stay: bool, database: str | None
) -> None:
    """Keep the queue filled with the jobs of a run, until all have ended.

    A second one stands by and takes over when the first is gone. With BLOX_METRICS_ADDRESS it serves
    metrics for Prometheus meanwhile.
    """
    if run_id is not None and measured is not None:
        raise click.UsageError("--run and --measure name a run each: one of them is allowed")
    settings, broker = read_settings(WorkerSettings), read_settings(BrokerSettings)
    metrics = ClusterCollector(lease_s=settings.lease_s)
    url = command_line.database_url(database)
    with (
        serving(metrics, read_settings(MetricsSettings).listens_on),
        stop_requests() as stop,
        unless_stopped(stop),
        opened(url, stop=stop) as store,
    ):
        metrics.watch_store(store)
        run = patiently(lambda: store.runs.find(run_id, measured=measured), stop=stop)
        reaper = Reaper(store, lease_s=settings.lease_s, max_attempts=settings.max_attempts)
        device_name = run.dataset if run.measures else None
        app = make_app(
            broker.broker_url, store.id, measured=device_name, timeout_s=broker.broker_timeout_s
        )
        queue = Broker(app)
        metrics.watch_broker(queue)
        made = Scheduler(
            store,
            run,
            queue,
            reaper,
            name=f"{socket.gethostname()}:{os.getpid()}",
            order=order,
            poll_s=broker.scheduler_poll_s,
            lease_s=settings.lease_s,
            stays=stay,
        )
        tell(f"scheduling {run}")
        all_ended = made.run(stop)
        tell(f"{run}: {jobs_by_state(store.jobs.counts(run.id))}" if all_ended else GO_ON)
