"""A cluster that somebody looks after: whatever ends is started again, as a service manager does."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import psutil

from blox_store.store import Run
from tests.support import faults
from tests.support.cluster import Cluster
from tests.support.servers import wait_until

SCHEDULERS: Final = 2
# Trainings take no time, so that all of it goes into what is to be tested.
SETTINGS: Final = {
    "BLOX_SIMULATED_EPOCH_S": "0",
    "BLOX_CHECKPOINT_EVERY_S": "0",
    "BLOX_LEASE_S": "5",
    "BLOX_HEARTBEAT_S": "1",
    "BLOX_BROKER_TIMEOUT_S": "2",
    "BLOX_SCHEDULER_POLL_S": "0.5",
}
LEASE_S: Final = float(SETTINGS["BLOX_LEASE_S"])
_LOOK_EVERY_S: Final = 0.2

Process = subprocess.Popen[bytes]


class World:
    """A run, its schedulers and launchers, and how often one had to be started again."""

    def __init__(self, cluster: Cluster, run: Run, launchers: Sequence[str]) -> None:
        self.cluster = cluster
        self.run = run
        self.restarts = 0
        self.launchers = [self._launch(gpus) for gpus in launchers]
        self.schedulers = [self._schedule() for _ in range(SCHEDULERS)]
        self._gpus = launchers

    @property
    def workers(self) -> list[psutil.Process]:
        """The worker processes, by launcher; there is at least one."""
        found: list[psutil.Process] = []
        wait_until(lambda: bool(found.extend(self._workers()) or found), "a worker to be there")
        return found

    @property
    def has_ended(self) -> bool:
        """Whether all jobs have ended."""
        counts = self.cluster.store.jobs.counts(self.run.id)
        return all(state.ended or not count for state, count in counts.items())

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Look after the cluster for some time; return True as soon as `until` holds."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not until():
            self._tend()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            pause.wait(min(left, _LOOK_EVERY_S))
        return True

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let no process of the cluster run within the `with` block."""
        processes = self.cluster.alive()
        _each(processes, faults.freeze)
        try:
            yield
        finally:
            _each(processes, faults.thaw)

    def _workers(self) -> list[psutil.Process]:
        found = []
        for launcher in self.launchers:
            with suppress(psutil.NoSuchProcess):
                found += self.cluster.workers(launcher)
        return found

    def _tend(self) -> None:
        """Start again what has ended; a scheduler ends by itself when all jobs have."""
        for number, launcher in enumerate(self.launchers):
            if launcher.poll() is not None:
                self.launchers[number] = self._launch(self._gpus[number])
                self.restarts += 1
        for number, scheduler in enumerate(self.schedulers):
            if scheduler.poll() is not None and not self.has_ended:
                self.schedulers[number] = self._schedule()
                self.restarts += 1

    def _schedule(self) -> Process:
        return self.cluster.scheduler(self.run, **SETTINGS)

    def _launch(self, gpus: str) -> Process:
        return self.cluster.launcher(gpus, **SETTINGS)


def _each(processes: Sequence[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            action(process)
