"""The heartbeat: a thread that renews a lease while its job is trained."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from blox_store.errors import LeaseLost, StoreError
from blox_store.store import Lease, Store
from blox_worker.repeating import Repeating

logger = logging.getLogger(__name__)


class Heartbeat(Repeating):
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
        super().__init__("heartbeat", every_s)
        self.epoch = lease.epoch
        self._on_outage = on_outage
        self._store = store
        self._lease = lease
        self._lost = threading.Event()

    @property
    def lost(self) -> bool:
        """Whether the job is no longer this worker's."""
        return self._lost.is_set()

    def _take_turn(self) -> None:
        try:
            self._store.jobs.heartbeat(self._lease, self.epoch)
        except LeaseLost:
            # Who does the job says so, unless he has just written its result: then a beat that
            # came at the same moment finds no lease, and there is nothing to say.
            self._lost.set()
            self._done.set()
        except StoreError as error:
            logger.warning("no heartbeat: %s", error)
            self._on_outage()
