"""A training session in this process: signals, progress display and the local loop together."""

from __future__ import annotations

import socket

from blox_core.recipe import Recipe
from blox_store.store import Run, Store
from blox_worker.display import Display
from blox_worker.job import Worker
from blox_worker.local import train_locally
from blox_worker.settings import WorkerSettings
from blox_worker.stop import stop_requests


def train_run(store: Store, run: Run, worker: Worker) -> bool:
    """Train the jobs of a run with a progress display; return whether all have ended."""
    jobs = store.jobs.matching(run.id)
    with stop_requests() as stop, Display(jobs, Recipe.from_dict(run.recipe)) as display:
        return train_locally(store, run, worker=worker, stop=stop, audience=display)


def local_worker(device: str, settings: WorkerSettings) -> Worker:
    """Return the worker that this process is."""
    return Worker(name=f"{device}@{socket.gethostname()}", device=device, settings=settings)
