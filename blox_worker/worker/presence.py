"""A worker's presence: its row in the store, kept fresh by a thread, from which status tells."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from blox_store.errors import StoreError
from blox_store.store import ALIVE_S, Store, WorkerFigures
from blox_worker.device.gpu_load import gpu_load
from blox_worker.job.attempt import Worker

logger = logging.getLogger(__name__)

_RETRY_S: Final = 1.0


class Presence:
    """Shows a worker as there within its `with` block; outages of the store are passed over.

    `run_id` is the only run that it trains, None if it takes jobs of any. The row goes with the
    block, unless that ends by an error or `is_to_stay`: what ended the worker is then to be seen.

    While a job runs its heartbeats show the worker too, so that twice a lease is enough. What the
    worker measures is written then: its pace, and how its GPU is used.
    """

    def __init__(self, store: Store, worker: Worker, *, run_id: int | None = None) -> None:
        self._store = store
        self._worker = worker
        self._run_id = run_id
        self._done = threading.Event()
        self.is_to_stay = False
        self._thread = threading.Thread(target=self._show, name="presence", daemon=True)

    def __enter__(self) -> Self:
        self._is_registered = self._reached(self._register)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        if not self.is_to_stay and error is None:
            self._reached(lambda: self._store.workers.leave(self._worker.name, pid=os.getpid()))

    def _show(self) -> None:
        every_s = min(self._worker.settings.lease_s / 2, ALIVE_S / 3)
        while not self._done.wait(every_s if self._is_registered else min(every_s, _RETRY_S)):
            if self._is_registered:
                self._reached(self._seen)
            else:
                self._is_registered = self._reached(self._register)

    def _seen(self) -> None:
        load = gpu_load(self._worker.device)
        figures = WorkerFigures(
            images_per_s=self._worker.pace.images_per_s,
            gpu_utilisation=load.utilisation,
            gpu_memory_used_bytes=load.memory_used_bytes,
            gpu_memory_total_bytes=load.memory_total_bytes,
        )
        self._is_registered = self._store.workers.seen(self._worker.name, figures)

    def _register(self) -> None:
        self._store.workers.register(
            self._worker.name,
            device=self._worker.device,
            pid=os.getpid(),
            run_id=self._run_id,
        )

    def _reached(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except StoreError as error:
            logger.warning("worker %s cannot be shown: %s", self._worker.name, error)
            return False
        return True
