"""What one PostgreSQL has to do for many workers: latencies, rates, and what that costs.

A fleet of simulated workers (`fleet`) lives in a few processes; a scheduler looks after the run
meanwhile; a probe opens a bare connection now and then, with which the rest is compared.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final, Self

import numpy as np
import psycopg

from benchmarks.cpu import CpuMeter, CpuUse
from benchmarks.enqueue import new_run
from benchmarks.fleet import (
    HEARTBEAT_S,
    JOB_S,
    LEASE_S,
    SEEN_S,
    Plan,
    Sample,
    jobs_of_a_worker,
    live,
)
from benchmarks.production import kept_connection, new_database, production_postgres
from benchmarks.report import Row
from blox_core.space import SPACE_SIZE
from blox_store.store import JobState, Lease, Run, Store
from blox_store.store.jobs import Jobs
from blox_store.store.workers import Workers
from tests.servers import Server

MOST_P99_MS: Final = 100
FLEETS: Final = (100, 300, 1000)
KINDS: Final = ("heartbeat", "seen", "claim", "complete")
CONNECT: Final = "bare connection"
ROUND: Final = "scheduler's round"
_PROCESSES: Final = 4
_WARM_UP_S: Final = 5.0
_PROBE_EVERY_S: Final = 0.2
_ROUND_EVERY_S: Final = 1.0
_HEAD_START_S: Final = 0.5
_MS: Final = 1000
_GPUS: Final = 8  # of a node
_FREE: Final = """
UPDATE jobs SET state = %s, lease_token = NULL, lease_until_s = NULL WHERE state = 'running'
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of one fleet in `seconds`."""

    fleet: int
    seconds: float
    samples: list[Sample]
    cpu: CpuUse

    def latencies_ms(self, kind: str) -> np.ndarray:
        """Return the latencies of one kind of operation, from when each was due."""
        return _MS * np.array([s.ended - s.due for s in self.samples if s.kind == kind])

    @property
    def of_workers(self) -> list[Sample]:
        """The operations of the workers; each is a transaction on a connection of its own."""
        return [sample for sample in self.samples if sample.kind in KINDS]

    @property
    def rate(self) -> float:
        """Transactions of workers a second."""
        return len(self.of_workers) / self.seconds


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
    return [row for one in measured for row in _rows(one, bounded=one.fleet == max(fleets))]


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
    with _Fleet(plans) as processes:
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
        samples = processes.samples() + [sample for other in others for sample in other.end()]
    return Measured(
        fleet=len(indices),
        seconds=seconds,
        samples=[sample for sample in samples if sample.due >= _WARM_UP_S],
        cpu=cpu,
    )


def _begun(url: str, run: Run, indices: range) -> list[Lease]:
    """Register a worker for each index and let it hold the job, in place of all earlier ones."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM workers")
        connection.execute(_FREE, (JobState.QUEUED.value,))
    database = kept_connection(url)
    workers, jobs = Workers(database), Jobs(database)
    leases = []
    for number, index in enumerate(indices):
        name = f"gpu{number % _GPUS}@node{number // _GPUS}"
        workers.register(name, device="cpu", pid=number)
        lease = jobs.claim(
            run.id,
            index,
            worker=name,
            trainer=run.trainer,
            trainer_revision=run.trainer_revision,
            lease_s=LEASE_S,
        )
        assert isinstance(lease, Lease), lease
        leases.append(lease)
    database.close()
    return leases


class _Fleet:
    """The processes in which a fleet lives."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._lines: list[Connection] = []
        self._processes: list[BaseProcess] = []
        for plan in plans:
            ours, theirs = spawn.Pipe()
            self._lines.append(ours)
            self._processes.append(spawn.Process(target=live, args=(plan, theirs), daemon=True))

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        for line in self._lines:
            line.recv()
        return self

    def __exit__(self, *error: object) -> None:
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


def _rows(measured: Measured, *, bounded: bool) -> list[Row]:
    return [*_latency_rows(measured, bounded=bounded), *_cost_rows(measured)]


def _latency_rows(measured: Measured, *, bounded: bool) -> list[Row]:
    connect_ms = float(np.median(measured.latencies_ms(CONNECT)))
    rows = []
    for kind in (*KINDS, CONNECT, ROUND):
        latencies_ms = measured.latencies_ms(kind)
        if not latencies_ms.size:
            continue
        for quantile in (50, 99):
            of_worker = kind in KINDS
            value = float(np.percentile(latencies_ms, quantile))
            rows.append(
                Row(
                    part=_part(measured),
                    name=f"{kind} p{quantile} at {measured.fleet:,}",
                    value=value,
                    unit="ms",
                    bound=MOST_P99_MS if bounded and of_worker and quantile == 99 else None,
                    peer=f"{CONNECT} p50" if of_worker and quantile == 50 else None,
                    ratio=value / connect_ms if of_worker and quantile == 50 else None,
                )
            )
    return rows


def _cost_rows(measured: Measured) -> list[Row]:
    cpu, seconds, rate = measured.cpu, measured.seconds, measured.rate
    operations = measured.of_workers
    late_ms = _MS * np.array([sample.begun - sample.due for sample in operations])
    connections = sum(sample.kind != ROUND for sample in measured.samples)

    def row(name: str, value: float, unit: str, bound: float | None = None) -> Row:
        name = f"{name} at {measured.fleet:,}"
        return Row(part=_part(measured), name=name, value=value, unit=unit, bound=bound)

    failed = sum(sample.failed for sample in operations)
    completed = sum(sample.kind == "complete" for sample in operations)
    return [
        row("failed operations", failed, "", 0),
        row("begun late, p99", float(np.percentile(late_ms, 99)), "ms"),
        row("jobs completed", completed / seconds, "1/s"),
        row("transactions", rate, "1/s"),
        row("CPU of PostgreSQL", cpu.server_s / seconds, "cores"),
        row("CPU of PostgreSQL for a transaction", _MS * cpu.server_s / connections, "ms"),
        row("of that, the postmaster", _MS * cpu.postmaster_s / connections, "ms"),
        row("CPU of the simulated workers", cpu.clients_s / seconds, "cores"),
        row("CPU of the whole machine", cpu.machine_s / seconds, "cores"),
    ]


def _part(measured: Measured) -> str:
    return (
        f"scale: {measured.fleet:,} workers, {measured.seconds:g} s: a heartbeat every "
        f"{HEARTBEAT_S:g} s, presence every {SEEN_S:g} s, jobs of {JOB_S[0]:g} to {JOB_S[1]:g} s"
    )
