"""The reaper: ends expired leases, but never before living workers could renew them."""

from __future__ import annotations

import time

from blox_store.store import ReapedJob, Store


class Reaper:
    """Ends expired leases, but first lets one whole lease pass for living workers to renew them."""

    def __init__(self, store: Store, *, lease_s: float, max_attempts: int) -> None:
        self._store = store
        self._max_attempts = max_attempts
        self._lease_s = lease_s
        self.wait()

    def wait(self) -> None:
        """Let one whole lease pass from now on, as after an outage of the store."""
        self._ready_at = time.monotonic() + self._lease_s

    def reap(self) -> list[ReapedJob]:
        """End the expired leases, once the time for it has come, and return their jobs."""
        if time.monotonic() < self._ready_at:
            return []
        return self._store.jobs.reap(max_attempts=self._max_attempts)
