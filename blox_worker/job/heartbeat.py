"""The heartbeat: a thread that renews a lease while its job is trained."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from blox_store.errors import LeaseLost, StoreError
from blox_store.store import Lease, Store

logger = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease every `every_s` seconds within its `with` block.

    `epoch` is what it reports. Once the lease is lost, `lost` is true and it beats no more; an
    outage of the store is waited out, each missed beat told to `on_outage`.
    """

    def __init__(
        self,
        store: Store,
        lease: Lease,
        *,
        every_s: float,
        on_outage: Callable[[], None] = lambda: None,
    ) -> None:
        self.epoch = lease.epoch
        self._on_outage = on_outage
        self._store = store
        self._lease = lease
        self._every_s = every_s
        self._lost = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def lost(self) -> bool:
        """Whether the job is no longer this worker's."""
        return self._lost.is_set()

    def __enter__(self) -> Self:
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

    def _beat(self) -> None:
        while not self._done.wait(self._every_s):
            try:
                self._store.jobs.heartbeat(self._lease, self.epoch)
            except LeaseLost:
                # Who does the job says so, unless he has just written its result: then a beat that
                # came at the same moment finds no lease, and there is nothing to say.
                self._lost.set()
                return
            except StoreError as error:
                logger.warning("no heartbeat: %s", error)
                self._on_outage()
