"""What one PostgreSQL has to do for many workers: latencies, rates, and what that costs.

A fleet of simulated workers (`fleet`) lives in a few processes; a scheduler looks after the run
meanwhile; a probe opens a bare connection now and then, with which the rest is compared. At the
end a lone worker shows what it is worth to keep a connection.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

import numpy as np
import psycopg

from benchmarks.suite.queue import fleet
from benchmarks.suite.queue.fleet import HEARTBEAT_S, JOB_S, LEASE_S, SEEN_S, Sample
from benchmarks.suite.queue.usage import Meter
from benchmarks.suite.report.benchmark import Found
from benchmarks.suite.report.row import Row
from blox_core.recipe import preset
from blox_core.simulation import SIMULATED
from blox_store.store import JobState, Lease, Run, Store
from tests.support.results import claimed, made_up_run
from tests.support.servers import Server, production_postgres

MOST_P99_MS: Final = 100
KINDS: Final = ("heartbeat", "seen", "claim", "complete")
CONNECT: Final = "bare connection"
ROUND: Final = "scheduler's round"
FAR: Final = 10_000  # workers: more than can be measured here
_KEPT: Final = "a kept one"
_PROCESSES: Final = 4
_WARM_UP_S: Final = 5.0
_HEAD_START_S: Final = 0.5
_PROBE_EVERY_S: Final = 0.2
_ROUND_EVERY_S: Final = 1.0
_HEARTBEATS: Final = 300  # of the lone worker
_GPUS: Final = 8  # of a node
_QUANTILES: Final = (50, 99)
_MS: Final = 1000
_MB: Final = 1e6
_GB: Final = 1e9
_FREE: Final = """
UPDATE jobs SET state = %s, lease_token = NULL, lease_until_s = NULL WHERE state = 'running'
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of one fleet in `seconds`; memory is that of the server's processes."""

    fleet: int
    seconds: float
    samples: list[Sample]
    server_s: float
    clients_s: float
    machine_s: float
    memory_bytes: int

    def latencies_ms(self, kind: str) -> np.ndarray:
        """Return the latencies of one kind of operation, from when each was due."""
        return _MS * np.array([s.ended - s.due for s in self.samples if s.kind == kind])

    @property
    def of_workers(self) -> list[Sample]:
        """The operations of the workers; each is a transaction."""
        return [sample for sample in self.samples if sample.kind in KINDS]

    @property
    def rate(self) -> float:
        """Transactions of workers a second."""
        return len(self.of_workers) / self.seconds


def jobs_needed(fleets: Sequence[int], seconds: float) -> int:
    """Return how many jobs fleets of these sizes may take, the lone worker's included."""
    return 1 + sum(fleets) * fleet.jobs_of_a_worker(_WARM_UP_S + seconds)


def measure(jobs: int, fleets: Sequence[int], seconds: float) -> Found:
    """Measure fleets of these sizes for so long each, on a run of so many jobs; return the rows."""
    with production_postgres() as (server, url), Store(url, migrate=True) as store:
        run = made_up_run(store, preset("cifar100"), indices=range(jobs), trainer=SIMULATED)
        store.jobs.mark_queued(run.id, range(jobs))
        first_index = 0
        measured = []
        for size in fleets:
            leases = _begun(url, store, run, range(first_index, first_index + size))
            measured.append(_measure_fleet(server, url, store, run, leases, seconds))
            first_index += size * fleet.jobs_of_a_worker(_WARM_UP_S + seconds)
        of_connections = _connection_rows(server, store, run, first_index, measured)
        return [*fleet_rows(measured), *of_connections], {}


def fleet_rows(fleets: Sequence[Measured]) -> list[Row]:
    """Return the rows of all fleets; the largest one's have bounds."""
    largest = max(one.fleet for one in fleets)
    rows = []
    for one in fleets:
        part = (
            f"scale: {one.fleet:,} workers, {one.seconds:g} s: a heartbeat every {HEARTBEAT_S:g} "
            f"s, presence every {SEEN_S:g} s, jobs of {JOB_S[0]:g} to {JOB_S[1]:g} s"
        )
        most_ms = MOST_P99_MS if one.fleet == largest else None
        for row in (*_latency_rows(one, most_ms), *_cost_rows(one)):
            rows.append(replace(row, name=f"{row.name} at {one.fleet:,}", part=part))
    return rows


def _begun(url: str, store: Store, run: Run, indices: range) -> list[Lease]:
    """Register a worker for each index and let it hold the job, in place of all earlier ones."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM workers")
        connection.execute(_FREE, (JobState.QUEUED.value,))
    leases = []
    for number, index in enumerate(indices):
        name = f"gpu{number % _GPUS}@node{number // _GPUS}"
        store.workers.register(name, device="cpu", pid=number)
        leases.append(claimed(store, run, index, worker=name, lease_s=LEASE_S))
    return leases


def _measure_fleet(
    server: Server, url: str, store: Store, run: Run, leases: list[Lease], seconds: float
) -> Measured:
    """Run a fleet that begins with these leases, one a worker."""
    duration_s = _WARM_UP_S + seconds
    plans = [
        fleet.Plan(url, run.id, leases[part::_PROCESSES], len(leases), duration_s)
        for part in range(min(_PROCESSES, len(leases)))
    ]
    others = {CONNECT: lambda: _connect(url), ROUND: lambda: _round(store, run)}
    with fleet.processes(plans) as (children, lines), ThreadPoolExecutor() as pool:
        start = time.monotonic() + _HEAD_START_S
        for line in lines:
            line.send(start)
        found = [
            pool.submit(fleet.act, others, fleet.every(kind, every_s, duration_s), start)
            for kind, every_s in ((CONNECT, _PROBE_EVERY_S), (ROUND, _ROUND_EVERY_S))
        ]
        meter = Meter(server, [child.pid for child in children])
        fleet.wait_until_moment(start + _WARM_UP_S)
        before_s = meter.cpu_s()
        fleet.wait_until_moment(start + duration_s)
        server_s, clients_s, machine_s = meter.cpu_s() - before_s
        memory_bytes = meter.memory_bytes()
        samples = [Sample(*values) for line in lines for values in line.recv()]
        samples += [sample for other in found for sample in other.result()]
    return Measured(
        fleet=len(leases),
        seconds=seconds,
        samples=[sample for sample in samples if sample.due >= _WARM_UP_S],
        server_s=server_s,
        clients_s=clients_s,
        machine_s=machine_s,
        memory_bytes=memory_bytes,
    )


def _connect(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")


def _round(store: Store, run: Run) -> None:
    """Do what a scheduler does every second while its queue is full."""
    store.jobs.counts(run.id)
    store.schedulers.hold(run.id, holder="benchmark", token="benchmark", lease_s=LEASE_S)
    store.jobs.reap(max_attempts=3)
    store.jobs.due(run.id)


def _latency_rows(measured: Measured, most_ms: float | None) -> Iterator[Row]:
    connect_ms = float(np.median(measured.latencies_ms(CONNECT)))
    for kind in (*KINDS, CONNECT, ROUND):
        latencies_ms = measured.latencies_ms(kind)
        if latencies_ms.size:
            is_worker = kind in KINDS
            half, most = map(float, np.percentile(latencies_ms, _QUANTILES))
            row = Row(f"{kind} p50", [half], "ms")
            yield row.against(f"{CONNECT} p50", connect_ms) if is_worker else row
            yield Row(f"{kind} p99", [most], "ms", at_most=most_ms if is_worker else None)


def _cost_rows(measured: Measured) -> Iterator[Row]:
    seconds, operations = measured.seconds, measured.of_workers
    yield Row("failed operations", [sum(sample.failed for sample in operations)], at_most=0)
    if operations:
        late_s = [sample.begun - sample.due for sample in operations]
        yield Row("begun late, p99", [_MS * float(np.percentile(late_s, 99))], "ms")
    completed = sum(sample.kind == "complete" for sample in operations)
    memory_mb = measured.memory_bytes / _MB
    yield Row("jobs completed", [completed / seconds], "1/s")
    yield Row("transactions", [measured.rate], "1/s")
    yield Row("CPU of PostgreSQL", [measured.server_s / seconds], "cores")
    yield Row("memory of PostgreSQL's connections", [memory_mb], "MB")
    yield Row("CPU of the simulated workers", [measured.clients_s / seconds], "cores")
    yield Row("CPU of the whole machine", [measured.machine_s / seconds], "cores")


def _connection_rows(
    server: Server, store: Store, run: Run, index: int, fleets: Sequence[Measured]
) -> list[Row]:
    """Renew a lease by a lone worker; return the rows, with what many more workers would cost.

    What a transaction costs is taken from the difference of two fleets: the scheduler and the
    probe cost the same in both.
    """
    lease = claimed(store, run, index, lease_s=LEASE_S)
    kept_ms, kept_cpu_ms = _heartbeat_ms(server, lambda: store.jobs.heartbeat(lease, 0))
    new_ms, new_cpu_ms = _heartbeat_ms(
        server, lambda: (store.close(), store.jobs.heartbeat(lease, 0))
    )
    small, large = (choose(fleets, key=attrgetter("fleet")) for choose in (min, max))
    each_bytes = large.memory_bytes / large.fleet
    connect_s = FAR * (new_cpu_ms - kept_cpu_ms) / _MS
    new_cpu = Row("CPU of PostgreSQL for a heartbeat, new", [new_cpu_ms], "ms")
    rows = [
        Row("a heartbeat on a kept connection", [kept_ms], "ms"),
        Row("a heartbeat on a new one", [new_ms], "ms").against(_KEPT, kept_ms),
        Row("CPU of PostgreSQL for a heartbeat, kept", [kept_cpu_ms], "ms"),
        new_cpu.against(_KEPT, kept_cpu_ms),
        Row("memory of a connection", [each_bytes / _MB], "MB"),
        Row(f"memory of {FAR:,} connections", [FAR * each_bytes / _GB], "GB"),
        Row(f"CPU of PostgreSQL to connect {FAR:,}", [connect_s], "s"),
    ]
    if large.rate > small.rate:
        busy = large.server_s / large.seconds - small.server_s / small.seconds
        each_s = busy / (large.rate - small.rate)
        cores = FAR / large.fleet * large.rate * each_s
        rows += [
            Row("CPU of PostgreSQL for a transaction", [_MS * each_s], "ms"),
            Row(f"CPU of PostgreSQL for {FAR:,} workers", [cores], "cores"),
        ]
    part = "scale: what a connection costs, and what that means for more workers"
    return [replace(row, part=part) for row in rows]


def _heartbeat_ms(server: Server, heartbeat: Callable[[], object]) -> tuple[float, float]:
    """Return how long a heartbeat takes, and how long PostgreSQL works for it."""
    heartbeat()
    meter = Meter(server, [os.getpid()])
    before_s, begun = meter.cpu_s(), time.perf_counter()
    for _ in range(_HEARTBEATS):
        heartbeat()
    used_s, seconds = (meter.cpu_s() - before_s)[0], time.perf_counter() - begun
    return _MS * seconds / _HEARTBEATS, _MS * used_s / _HEARTBEATS
