"""A fleet of simulated workers in some processes, that use the store as real ones do.

Every operation has its moment, whether or not the one before it was late, and its latency counts
from there: a stall hides nothing.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine

from blox_core.simulation import simulated_result
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

Moment = tuple[float, Sequence[str]]  # when something is due, and what is done then in a row
Actions = Mapping[str, Callable[[], object]]


class Sample(NamedTuple):
    """One operation; `due`, `begun` and `ended` are seconds from the start of the measurement."""

    kind: str
    due: float
    begun: float
    ended: float
    failed: bool


class Plan(NamedTuple):
    """What the workers of one process do for `duration_s` seconds, and the leases they begin with.

    Each of the `fleet` workers goes on with the job that is `fleet` after its last one.
    """

    url: str
    run_id: int
    leases: Sequence[Lease]
    fleet: int
    duration_s: float


@contextmanager
def processes(plans: Sequence[Plan]) -> Iterator[tuple[list[BaseProcess], list[Connection]]]:
    """Give the processes of a fleet once all are prepared, and the lines to them.

    Each is sent the start by the monotonic clock, and sends its samples; it keeps its connections
    to the database until the block ends.
    """
    spawn = multiprocessing.get_context("spawn")
    lines, children = [], []
    for plan in plans:
        ours, theirs = spawn.Pipe()
        child = spawn.Process(target=_live, args=(plan, theirs), daemon=True)
        child.start()
        theirs.close()  # only the child holds it, so that its death ends the line
        lines.append(ours)
        children.append(child)
    for line in lines:
        line.recv()
    yield children, lines
    for line, child in zip(lines, children, strict=True):
        line.close()
        child.join()


def act(actions: Actions, moments: Iterable[Moment], start: float) -> list[Sample]:
    """Do what is due, each in its moment; what follows in a row is due when the first has ended."""
    samples = []
    for moment, kinds in moments:
        wait_until_moment(start + moment)
        due = moment
        for kind in kinds:
            begun = time.monotonic() - start
            failed = _fails(kind, actions[kind])
            ended = time.monotonic() - start
            samples.append(Sample(kind, due, begun, ended, failed))
            due = ended
    return samples


def every(kind: str, seconds: float, duration_s: float, first: float = 0.0) -> Iterator[Moment]:
    """Yield the moments of what is done again and again."""
    due = first
    while due < duration_s:
        yield due, (kind,)
        due += seconds


def wait_until_moment(moment: float) -> None:
    """Wait until a moment of the monotonic clock."""
    threading.Event().wait(max(0.0, moment - time.monotonic()))


def jobs_of_a_worker(duration_s: float) -> int:
    """Return how many jobs a worker may take in a time, the one it has begun before included."""
    return 2 + int(duration_s / JOB_S[0])


def _live(plan: Plan, parent: Connection) -> None:
    """Run the workers of a plan."""
    sys.setswitchinterval(_SWITCH_S)
    with Store(plan.url) as store:
        run = store.runs.find(plan.run_id)
    database = Database(plan.url)
    cache: dict[Any, Any] = {}
    workers = [_Worker(_own(database, cache), run, plan, lease) for lease in plan.leases]
    parent.send(None)
    start: float = parent.recv()
    with ThreadPoolExecutor(len(workers)) as pool:
        lives = list(pool.map(lambda worker: act(worker.actions, worker.moments, start), workers))
    parent.send([tuple(sample) for samples in lives for sample in samples])
    with suppress(EOFError):
        parent.recv()


def _own(database: Database, cache: dict[Any, Any]) -> Database:
    """Return the database for a worker of its own: nothing is shared but compiled statements."""
    own = copy(database)
    shared = database.engine
    engine = Engine(shared.pool.recreate(), shared.dialect, shared.url)
    own.engine = engine.execution_options(compiled_cache=cache)
    return own


def _fails(kind: str, action: Callable[[], object]) -> bool:
    """Do something; return whether it fails."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be counted
        sys.stderr.write(f"{kind}: {error}\n")
        return True
    return False


class _Worker:
    """A worker whose trainings cost nothing; it has used its connection, as an old one has."""

    def __init__(self, database: Database, run: Run, plan: Plan, lease: Lease) -> None:
        self._jobs, self._stored = Jobs(database), Results(database)
        self._run, self._lease, self._epoch = run, lease, 0
        first, recipe = lease.arch_index, run.training_recipe
        indices = [first + k * plan.fleet for k in range(jobs_of_a_worker(plan.duration_s))]
        self._next_indices = iter(indices[1:])
        self._results = {
            index: simulated_result(Architecture(index), recipe, run.seed) for index in indices
        }
        self.moments = sorted(_moments(random.Random(first), plan.duration_s))
        self.actions: Actions = {
            "heartbeat": self._heartbeat,
            "seen": lambda: Workers(database).seen(lease.worker),
            "complete": self._complete,
            "claim": self._claim,
        }
        self._jobs.heartbeat(lease, 0)

    def _heartbeat(self) -> None:
        self._epoch += 1
        self._jobs.heartbeat(self._lease, self._epoch)

    def _complete(self) -> None:
        self._stored.complete(self._lease, self._results[self._lease.arch_index])

    def _claim(self) -> None:
        claimed = self._jobs.claim(
            self._run,
            next(self._next_indices),
            worker=self._lease.worker,
            trainer_revision=self._run.trainer_revision,
            lease_s=LEASE_S,
        )
        assert isinstance(claimed, Lease), claimed
        self._lease, self._epoch = claimed, 0


def _moments(draw: random.Random, duration_s: float) -> Iterator[Moment]:
    for kind, every_s in (("heartbeat", HEARTBEAT_S), ("seen", SEEN_S)):
        yield from every(kind, every_s, duration_s, first=draw.uniform(0, every_s))
    due = draw.uniform(0, draw.uniform(*JOB_S))  # it has begun before
    while due < duration_s:
        yield due, ("complete", "claim")
        due += draw.uniform(*JOB_S)
