"""What one PostgreSQL has to do for many workers: latencies, rates, and what that costs.

A fleet of simulated workers (`fleet`) lives in a few processes; a scheduler looks after the run
meanwhile; a probe opens a bare connection now and then, with which the rest is compared.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final, Self

import psycopg

from benchmarks.suite.queue.connections import connection_rows, cost_of_connections
from benchmarks.suite.queue.cpu import CpuMeter
from benchmarks.suite.queue.enqueue import new_run
from benchmarks.suite.queue.fleet import LEASE_S, Plan, Sample, jobs_of_a_worker, live
from benchmarks.suite.queue.production import new_database, production_postgres
from benchmarks.suite.queue.scale_rows import CONNECT, ROUND, Measured, scale_rows
from benchmarks.suite.report.report import Row
from blox_core.space import SPACE_SIZE
from blox_store.store import JobState, Lease, Run, Store
from blox_store.store.database.database import Database
from blox_store.store.jobs.jobs import Jobs
from blox_store.store.workers import Workers
from tests.support.servers import Server

FLEETS: Final = (100, 300, 1000)
_PROCESSES: Final = 4
_WARM_UP_S: Final = 5.0
_PROBE_EVERY_S: Final = 0.2
_ROUND_EVERY_S: Final = 1.0
_HEAD_START_S: Final = 0.5
_GPUS: Final = 8  # of a node
_FREE: Final = """
UPDATE jobs SET state = %s, lease_token = NULL, lease_until_s = NULL WHERE state = 'running'
"""


def jobs_needed(fleets: Sequence[int], seconds: float) -> int:
    """Return how many jobs fleets of these sizes may take, the one of `connections` included."""
    return 1 + sum(fleets) * jobs_of_a_worker(_WARM_UP_S + seconds)


def measure(fleets: Sequence[int], seconds: float) -> list[Row]:
    """Measure fleets of these sizes for so long each; return the rows."""
    with (
        production_postgres() as (server, server_url),
        new_database(server_url, "scale") as url,
        Store(url, migrate=True) as store,
    ):
        run = new_run(store, SPACE_SIZE)
        store.jobs.mark_queued(run.id, range(SPACE_SIZE))
        first_index = 0
        measured = []
        for fleet in fleets:
            indices = range(first_index, first_index + fleet)
            measured.append(_measure_fleet(server, url, store, run, indices, seconds))
            first_index += fleet * jobs_of_a_worker(_WARM_UP_S + seconds)
        cost = cost_of_connections(server, url, run, first_index)
    return [*scale_rows(measured), *connection_rows(cost, measured)]


def _measure_fleet(
    server: Server, url: str, store: Store, run: Run, indices: range, seconds: float
) -> Measured:
    """Let a fleet live that begins with the jobs of these indices, one a worker."""
    duration_s = _WARM_UP_S + seconds
    leases = _begun(url, run, indices)
    plans = [
        Plan(
            url=url,
            run_id=run.id,
            leases=leases[part::_PROCESSES],
            fleet=len(indices),
            duration_s=duration_s,
        )
        for part in range(_PROCESSES)
    ]
    with Fleet(plans) as processes:
        start = processes.start()
        others = [
            _Repeated(CONNECT, _PROBE_EVERY_S, lambda: _connect(url)),
            _Repeated(ROUND, _ROUND_EVERY_S, lambda: _round(store, run)),
        ]
        for other in others:
            other.begin(start, duration_s)
        meter = CpuMeter(server, processes.pids)
        _wait_until(start + _WARM_UP_S)
        before = meter.read()
        _wait_until(start + duration_s)
        cpu = meter.read() - before
        memory = meter.memory_bytes()
        samples = processes.samples() + [sample for other in others for sample in other.end()]
    return Measured(
        fleet=len(indices),
        seconds=seconds,
        samples=[sample for sample in samples if sample.due >= _WARM_UP_S],
        cpu=cpu,
        memory_bytes=memory,
    )


def _begun(url: str, run: Run, indices: range) -> list[Lease]:
    """Register a worker for each index and let it hold the job, in place of all earlier ones."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM workers")
        connection.execute(_FREE, (JobState.QUEUED.value,))
    database = Database(url)
    workers, jobs = Workers(database), Jobs(database)
    leases = []
    for number, index in enumerate(indices):
        name = f"gpu{number % _GPUS}@node{number // _GPUS}"
        workers.register(name, device="cpu", pid=number)
        lease = jobs.claim(
            run,
            index,
            worker=name,
            trainer_revision=run.trainer_revision,
            lease_s=LEASE_S,
        )
        assert isinstance(lease, Lease), lease
        leases.append(lease)
    database.close()
    return leases


class Fleet:
    """The processes in which a fleet lives."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._plans = plans
        self._lines: list[Connection] = []
        self._processes: list[BaseProcess] = []

    def __enter__(self) -> Self:
        spawn = multiprocessing.get_context("spawn")
        for plan in self._plans:
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=live, args=(plan, theirs), daemon=True)
            process.start()
            theirs.close()  # only the child holds it, so that its death ends the line
            self._lines.append(ours)
            self._processes.append(process)
        for line in self._lines:
            line.recv()
        return self

    def __exit__(self, *error: object) -> None:
        for line in self._lines:
            line.send(None)
        for process in self._processes:
            process.join()

    @property
    def pids(self) -> list[int]:
        """The process ids."""
        return [process.pid for process in self._processes if process.pid is not None]

    def start(self) -> float:
        """Let all begin in the same moment, which is returned."""
        start = time.monotonic() + _HEAD_START_S
        for line in self._lines:
            line.send(start)
        return start

    def samples(self) -> list[Sample]:
        """Return what all have done, once they are done."""
        return [Sample(*values) for line in self._lines for values in line.recv()]


class _Repeated:
    """Something that is done again and again in a thread of this process."""

    def __init__(self, kind: str, every_s: float, action: Callable[[], None]) -> None:
        self._kind = kind
        self._every_s = every_s
        self._action = action
        self._samples: list[Sample] = []

    def begin(self, start: float, duration_s: float) -> None:
        """Do it from the start on for so long."""
        self._thread = threading.Thread(target=self._repeat, args=(start, duration_s))
        self._thread.start()

    def end(self) -> list[Sample]:
        """Return all that was done."""
        self._thread.join()
        return self._samples

    def _repeat(self, start: float, duration_s: float) -> None:
        due = 0.0
        while due < duration_s:
            _wait_until(start + due)
            begun = time.monotonic() - start
            self._action()
            ended = time.monotonic() - start
            self._samples.append(Sample(self._kind, due, begun, ended, False))
            due += self._every_s


def _connect(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")


def _round(store: Store, run: Run) -> None:
    """Do what a scheduler does every second while its queue is full."""
    store.jobs.counts(run.id)
    store.schedulers.hold(run.id, holder="benchmark", token="benchmark", lease_s=LEASE_S)
    store.jobs.reap(max_attempts=3)
    store.jobs.due(run.id)


def _wait_until(moment: float) -> None:
    threading.Event().wait(max(0.0, moment - time.monotonic()))
