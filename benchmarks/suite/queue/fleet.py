"""A fleet of simulated workers in one process, that use the store as real ones do.

Every operation has its moment, whether or not the one before it was late, and its latency counts
from there: a stall hides nothing.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine

from blox_core.simulation import SIMULATION_REVISION, simulated_result
from blox_core.space import Architecture
from blox_store.store import Lease, Run, Store
from blox_store.store.database.database import Database
from blox_store.store.jobs.jobs import Jobs
from blox_store.store.results.results import Results
from blox_store.store.workers import Workers

HEARTBEAT_S: Final = 10.0
SEEN_S: Final = 30.0
LEASE_S: Final = 60.0
JOB_S: Final = (50.0, 100.0)  # of a training on an H100
_SWITCH_S: Final = 0.0005  # threads here stand for processes, that do not wait for each other


class Sample(NamedTuple):
    """One operation; `due`, `begun` and `ended` are seconds from the start of the measurement."""

    kind: str
    due: float
    begun: float
    ended: float
    failed: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the workers of one process do for `duration_s` seconds, and the leases they begin with.

    Each of the `fleet` workers goes on with the job that is `fleet` after its last one.
    """

    url: str
    run_id: int
    leases: Sequence[Lease]
    fleet: int
    duration_s: float


def live(plan: Plan, parent: Connection) -> None:
    """Be the workers of a plan: prepare, say so, wait for the moment of the start, and live.

    The parent is sent None, sends the start by the monotonic clock, is sent the samples, and sends
    None when the connections may be closed.
    """
    sys.setswitchinterval(_SWITCH_S)
    with Store(plan.url) as store:
        run = store.runs.find(plan.run_id)
    database = Database(plan.url)
    cache: dict[Any, Any] = {}
    workers = [_Worker(_own(database, cache), run, plan, lease) for lease in plan.leases]
    for worker in workers:
        worker.prepare()
    parent.send(None)
    start: float = parent.recv()
    threads = [threading.Thread(target=worker.live, args=(start,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parent.send([tuple(sample) for worker in workers for sample in worker.samples])
    parent.recv()


def _own(database: Database, cache: dict[Any, Any]) -> Database:
    """Return the database for a worker of its own: nothing is shared but compiled statements."""
    own = copy(database)
    shared = database.engine
    engine = Engine(shared.pool.recreate(), shared.dialect, shared.url)
    own.engine = engine.execution_options(compiled_cache=cache)
    return own


class _Worker:
    """A worker whose trainings cost nothing."""

    def __init__(self, database: Database, run: Run, plan: Plan, lease: Lease) -> None:
        self._jobs = Jobs(database)
        self._stored = Results(database)
        self._workers = Workers(database)
        self._run = run
        self._duration_s = plan.duration_s
        self._name = lease.worker
        self._random = random.Random(lease.arch_index)
        self._lease = lease
        self._epoch = 0
        indices = [
            lease.arch_index + k * plan.fleet for k in range(jobs_of_a_worker(plan.duration_s))
        ]
        recipe = run.training_recipe
        self._next_indices = iter(indices[1:])
        self._results = {
            index: simulated_result(Architecture(index), recipe, run.seed) for index in indices
        }
        self._start = 0.0
        self.samples: list[Sample] = []

    def prepare(self) -> None:
        """Use the database once, as a worker that has been there for a while has."""
        self._jobs.heartbeat(self._lease, self._epoch)

    def live(self, start: float) -> None:
        """Do every operation in its moment."""
        self._start = start
        pause = threading.Event()
        for due, kind in sorted(self._schedule()):
            pause.wait(max(0.0, start + due - time.monotonic()))
            if kind == "complete":
                self._next_job(due)
            else:
                self._do(kind, due, {"heartbeat": self._heartbeat, "seen": self._seen}[kind])

    def _schedule(self) -> Iterator[tuple[float, str]]:
        for kind, every_s in (("heartbeat", HEARTBEAT_S), ("seen", SEEN_S)):
            due = self._random.uniform(0, every_s)
            while due < self._duration_s:
                yield due, kind
                due += every_s
        due = self._random.uniform(0, self._random.uniform(*JOB_S))  # it has begun before
        while due < self._duration_s:
            yield due, "complete"
            due += self._random.uniform(*JOB_S)

    def _next_job(self, due: float) -> None:
        for kind, action in (("complete", self._complete), ("claim", self._claim)):
            due = self._do(kind, due, action)

    def _do(self, kind: str, due: float, action: Callable[[], None]) -> float:
        """Do something that is due; return when it ended."""
        begun = time.monotonic() - self._start
        failed = False
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is to be counted
            failed = True
            sys.stderr.write(f"{self._name} {kind}: {error}\n")
        ended = time.monotonic() - self._start
        self.samples.append(Sample(kind, due, begun, ended, failed))
        return ended

    def _claim(self) -> None:
        claimed = self._jobs.claim(
            self._run,
            next(self._next_indices),
            worker=self._name,
            trainer_revision=SIMULATION_REVISION,
            lease_s=LEASE_S,
        )
        assert isinstance(claimed, Lease), claimed
        self._lease = claimed
        self._epoch = 0

    def _heartbeat(self) -> None:
        self._epoch += 1
        self._jobs.heartbeat(self._lease, self._epoch)

    def _seen(self) -> None:
        self._workers.seen(self._name)

    def _complete(self) -> None:
        self._stored.complete(self._lease, self._results[self._lease.arch_index])


def jobs_of_a_worker(duration_s: float) -> int:
    """Return how many jobs a worker may take in a time, the one it has begun before included."""
    return 2 + int(duration_s / JOB_S[0])
