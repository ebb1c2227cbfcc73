"""A cluster that is looked after: whatever ends is started again, as a service manager does.

What `blox status` says of it is held against what the database says.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import psutil
import psycopg

from blox_store.store import JobState, Run
from tests.support import faults
from tests.support.cluster import Cluster
from tests.support.commands import Commands
from tests.support.servers import wait_until

LAUNCHERS: Final = 2
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

_BY_STATE: Final = "SELECT state, count(*) FROM jobs WHERE run_id = %s GROUP BY state"

Process = subprocess.Popen[bytes]
Counts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the status said, between two counts of the database."""

    before: Counts
    status: Counts
    after: Counts

    @property
    def agrees(self) -> bool:
        """Whether each number can be that of one moment between the two counts.

        Jobs that have ended stay so; of the others only the sum is bounded while work goes on.
        """
        if self.before == self.after:
            return self.status == self.before
        same_total = sum(self.status.values()) == sum(self.before.values())
        return same_total and all(
            self.before[state] <= self.status[state] <= self.after[state]
            for state in JobState
            if state.ended
        )


class TendedCluster:
    """A run, its schedulers and launchers, and how often one had to be started again."""

    def __init__(self, cluster: Cluster, run: Run, workers: int) -> None:
        self.cluster = cluster
        self.run = run
        self.restarts = 0
        made_up = [str(number) for number in range(workers)]
        shares = (made_up[part::LAUNCHERS] for part in range(LAUNCHERS))
        self._gpus = [",".join(share) for share in shares if share]
        self.launchers = [self._launch(number) for number in range(len(self._gpus))]
        self.schedulers = [self._schedule(number) for number in range(SCHEDULERS)]

    @property
    def workers(self) -> list[psutil.Process]:
        """The worker processes, by launcher; there is at least one."""
        found: list[psutil.Process] = []
        wait_until(lambda: bool(found.extend(self._workers()) or found), "a worker to be there")
        return found

    @property
    def has_ended(self) -> bool:
        """Whether all jobs have ended."""
        return self.cluster.has_ended(self.run)

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Look after the cluster for some time; return True as soon as `until` holds."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not until():
            self._tend(self.launchers, self._launch)
            self._tend(self.schedulers, self._schedule)
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

    def _tend(self, processes: list[Process], start: Callable[[int], Process]) -> None:
        """Start again what has ended; a scheduler ends by itself when all jobs have."""
        for number, process in enumerate(processes):
            if process.poll() is not None and not self.has_ended:
                processes[number] = start(number)
                self.restarts += 1

    def _schedule(self, number: int) -> Process:
        return self.cluster.scheduler(self.run, **SETTINGS)

    def _launch(self, number: int) -> Process:
        return self.cluster.launcher(self._gpus[number], **SETTINGS)


def look(tended: TendedCluster) -> Look:
    """Ask the status while work goes on."""
    before = _counts(tended)
    printed = Commands(tended.cluster.folder).succeed(
        f"blox status --run {tended.run.id} --json --database {tended.cluster.database_url}"
    )
    (run,) = json.loads(printed)["runs"]
    return Look(before=before, status=run["jobs"], after=_counts(tended))


def look_at_still(tended: TendedCluster) -> Look:
    """Ask the status while no process runs, so that every number has to be the very same."""
    with tended.standing_still():
        wait_until(lambda: _counts(tended) == _counts(tended), "the database to come to rest")
        return look(tended)


def _counts(tended: TendedCluster) -> Counts:
    """Count the jobs by a statement of our own, which sees one snapshot."""
    with psycopg.connect(tended.cluster.database_url) as connection:
        rows = connection.execute(_BY_STATE, (tended.run.id,)).fetchall()
    return dict.fromkeys(JobState, 0) | dict(rows)


def _each(processes: Sequence[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            action(process)
