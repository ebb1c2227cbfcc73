"""A worker's presence: its row in the store, kept fresh by a thread, from which status tells."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Self

from blox_store.errors import StoreError
from blox_store.store import ALIVE_S, Store
from blox_worker.device.gpu_load import gpu_load
from blox_worker.job.outcome import Worker
from blox_worker.repeating import Repeating

logger = logging.getLogger(__name__)

_RETRY_S: Final = 1.0


class Presence(Repeating):
    """Shows a worker as there within its `with` block; outages of the store are passed over.

    `run_id` is the only run that it trains, None if it takes jobs of any. The row goes with the
    block, unless that ends by an error or `is_to_stay`: what ended the worker is then to be seen.

    While a job runs its heartbeats show the worker too, so that twice a lease is enough. What the
    worker measures is written then: its pace, and how its GPU is used.
    """

    def __init__(self, store: Store, worker: Worker, *, run_id: int | None = None) -> None:
        self._seen_every_s = min(worker.settings.lease_s / 2, ALIVE_S / 3)
        super().__init__("presence", self._seen_every_s)
        self._store = store
        self._worker = worker
        self._run_id = run_id
        self._is_registered = False
        self.is_to_stay = False

    def __enter__(self) -> Self:
        self._take_turn()
        return super().__enter__()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        super().__exit__(kind, error, traceback)
        if not self.is_to_stay and error is None:
            self._try(lambda: self._store.workers.leave(self._worker.name, pid=os.getpid()))

    def _take_turn(self) -> None:
        self._try(self._seen if self._is_registered else self._register)
        every_s = self._seen_every_s
        self._every_s = every_s if self._is_registered else min(every_s, _RETRY_S)

    def _seen(self) -> None:
        pace = self._worker.pace.images_per_s
        figures = replace(gpu_load(self._worker.device), images_per_s=pace)
        self._is_registered = self._store.workers.seen(self._worker.name, figures)

    def _register(self) -> None:
        self._store.workers.register(
            self._worker.name,
            device=self._worker.device,
            pid=os.getpid(),
            run_id=self._run_id,
        )
        self._is_registered = True

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except StoreError as error:
            logger.warning("worker %s cannot be shown: %s", self._worker.name, error)
