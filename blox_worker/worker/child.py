"""Being the child process of a launcher: what `blox train` and `blox worker` have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from blox_store.errors import SchemaMismatch, StoreError
from blox_store.exit_codes import SUCCESS
from blox_store.store import Store
from blox_worker.device.gpus import CPU
from blox_worker.device.torch_device import checked_device
from blox_worker.errors import DeviceMissing
from blox_worker.patience import opened, unless_stopped
from blox_worker.processes.lifeline import Lifeline
from blox_worker.processes.stop import stop_requests


def work_as_child(
    url: str,
    lifeline: Lifeline,
    work: Callable[[Store, threading.Event], int],
    *,
    device: str = CPU,
) -> int:
    """Work on a store until that ends or a stop is requested; return the exit code of the process.

    The death of the launcher is a request to stop. A GPU as `device` is looked at before the store
    is opened, which loads torch. Raises what ends the process, after the launcher was told of it.
    """
    with stop_requests(launched=True) as stop, unless_stopped(stop):
        lifeline.on_parent_death(stop.set)
        if device != CPU:
            _check(device, lifeline)
        try:
            store = opened(url, stop=stop)
        except SchemaMismatch as error:  # the next start would end alike
            return lifeline.useless(str(error))
        with store:
            return work(store, stop)
    return SUCCESS


def report_fault(error: BaseException, store: Store, worker: str, lifeline: Lifeline) -> str:
    """Tell launcher and store which fault of the node ends this process; return it in one line."""
    text = f"{type(error).__name__}: {error}"
    lifeline.fault(text)
    with suppress(StoreError):  # the launcher knows
        store.workers.fault(worker, text)
    return text


def _check(device: str, lifeline: Lifeline) -> None:
    try:
        checked_device(device)
    except DeviceMissing as error:
        lifeline.fault(str(error))
        raise
