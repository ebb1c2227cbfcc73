"""A training session in this process: signals, progress display and the local loop together."""

from __future__ import annotations

import logging
import socket
import threading

from rich.console import Console

from blox_core.result.trainer_revision import TORCH
from blox_store.errors import StoreError, StoreUnavailable
from blox_store.exit_codes import SUCCESS
from blox_store.store import Run, Store
from blox_worker.device.slots import measuring
from blox_worker.device.torch_device import checked_device
from blox_worker.errors import WorkerSuspected
from blox_worker.job.outcome import JobOutcome, Worker
from blox_worker.patience import patiently
from blox_worker.processes.lifeline import USELESS, Lifeline
from blox_worker.processes.stop import stop_requests
from blox_worker.settings import WorkerSettings
from blox_worker.worker.child import report_fault, work_as_child
from blox_worker.worker.display import Display
from blox_worker.worker.loop import train_locally
from blox_worker.worker.presence import Presence

logger = logging.getLogger(__name__)


def train_run(store: Store, run: Run, worker: Worker) -> bool:
    """Train the jobs of a run with a progress display; return whether all have ended."""
    jobs = store.jobs.matching(run.id)
    with (
        stop_requests() as stop,
        Presence(store, worker, run_id=run.id),
        Display(jobs, run) as display,
    ):
        return train_locally(store, run, worker=worker, stop=stop, audience=display)


def train_launched(url: str, run_id: int | None, worker: Worker, lifeline: Lifeline) -> int:
    """Train the jobs of a run as the child of a launcher, by `work_as_child`."""

    def work(store: Store, stop: threading.Event) -> int:
        run = patiently(lambda: store.runs.find(run_id), stop=stop)
        return _train(store, run, worker, stop, lifeline)

    return work_as_child(url, lifeline, work)


def _train(
    store: Store, run: Run, worker: Worker, stop: threading.Event, lifeline: Lifeline
) -> int:
    """Train, and turn what ends this process into what the launcher and the store are told."""
    display = _LaunchedDisplay(run, lifeline)
    try:
        if run.trainer == TORCH:
            checked_device(worker.device)
        with Presence(store, worker, run_id=run.id), display:
            train_locally(store, run, worker=worker, stop=stop, audience=display)
    except WorkerSuspected as error:
        logger.error("%s", error)
        return USELESS
    except StoreUnavailable:
        raise
    except StoreError as error:  # a paused run, another revision: the next start would end alike
        logger.error("%s", error)
        store.workers.stop(worker.name, str(error))
        return USELESS
    except Exception as error:
        report_fault(error, store, worker.name, lifeline)
        raise
    return SUCCESS


class _LaunchedDisplay(Display):
    """Prints a line for every job, also on a terminal, which the launcher's children share."""

    def __init__(self, run: Run, lifeline: Lifeline) -> None:
        super().__init__((), run, console=Console(markup=False, force_terminal=False))
        self._lifeline = lifeline

    def job_ended(self, outcome: JobOutcome) -> None:
        """Print how a job ended, and tell the launcher of one that was trained to the end."""
        super().job_ended(outcome)
        if outcome.ending.has_result:
            self._lifeline.progress()


def local_worker(device: str, settings: WorkerSettings, *, measures: bool = False) -> Worker:
    """Return the worker that this process is, under a name of its own if it measures."""
    place = measuring(device) if measures else device
    return Worker(name=f"{place}@{socket.gethostname()}", device=device, settings=settings)
