"""What it is worth to keep a connection: heartbeats on a kept one, and each on a new one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.suite.queue.cpu import CpuMeter
from benchmarks.suite.queue.fleet import LEASE_S
from benchmarks.suite.queue.scale_rows import Measured
from benchmarks.suite.report.report import Row
from blox_store.store import Lease, Run
from blox_store.store.database.database import Database
from blox_store.store.jobs.jobs import Jobs
from tests.support.servers import Server

FAR: Final = 10_000  # workers: more than can be measured here
_PART: Final = "scale: what a connection costs, and what that means for more workers"
_HEARTBEATS: Final = 300
_MS: Final = 1000
_MB: Final = 1e6
_GB: Final = 1e9


@dataclass(frozen=True, kw_only=True)
class HeartbeatCost:
    """Seconds that a heartbeat takes, and that PostgreSQL works for it."""

    latency_s: float
    server_s: float


@dataclass(frozen=True, kw_only=True)
class ConnectionCost:
    """A heartbeat on a kept connection, and on a new one."""

    kept: HeartbeatCost
    new: HeartbeatCost


def cost_of_connections(server: Server, url: str, run: Run, index: int) -> ConnectionCost:
    """Let a lone worker renew the lease of a job again and again."""
    database = Database(url)
    jobs = Jobs(database)
    lease = jobs.claim(
        run,
        index,
        worker="gpu0@lone",
        trainer_revision=run.trainer_revision,
        lease_s=LEASE_S,
    )
    assert isinstance(lease, Lease), lease

    def on_a_new_one() -> None:
        database.close()
        jobs.heartbeat(lease, 0)

    cost = ConnectionCost(
        kept=_measured(server, lambda: jobs.heartbeat(lease, 0)),
        new=_measured(server, on_a_new_one),
    )
    database.close()
    return cost


def connection_rows(cost: ConnectionCost, fleets: Sequence[Measured]) -> list[Row]:
    """Return the rows, with what many more workers than the largest fleet would cost.

    What a transaction costs is taken from the difference of two fleets: the scheduler and the
    probe cost the same in both.
    """
    large = max(fleets, key=_size)
    factor = FAR / large.fleet
    kept, new = cost.kept, cost.new
    rows = [
        _row("a heartbeat on a kept connection", _MS * kept.latency_s, "ms"),
        _row("a heartbeat on a new one", _MS * new.latency_s, "ms", kept.latency_s),
        _row("CPU of PostgreSQL for a heartbeat, kept", _MS * kept.server_s, "ms"),
        _row("CPU of PostgreSQL for a heartbeat, new", _MS * new.server_s, "ms", kept.server_s),
        _row("memory of a connection", large.memory_bytes / large.fleet / _MB, "MB"),
        _row(f"memory of {FAR:,} connections", factor * large.memory_bytes / _GB, "GB"),
        _row(f"CPU of PostgreSQL to connect {FAR:,}", FAR * (new.server_s - kept.server_s), "s"),
    ]
    small = min(fleets, key=_size)
    if large.rate > small.rate:
        each_s = (_busy(large) - _busy(small)) / (large.rate - small.rate)
        cores = factor * large.rate * each_s
        rows += [
            _row("CPU of PostgreSQL for a transaction", _MS * each_s, "ms"),
            _row(f"CPU of PostgreSQL for {FAR:,} workers", cores, "cores"),
        ]
    return rows


def _measured(server: Server, heartbeat: Callable[[], None]) -> HeartbeatCost:
    heartbeat()
    meter = CpuMeter(server, [os.getpid()])
    before, begun = meter.read(), time.perf_counter()
    for _ in range(_HEARTBEATS):
        heartbeat()
    used, seconds = meter.read() - before, time.perf_counter() - begun
    return HeartbeatCost(latency_s=seconds / _HEARTBEATS, server_s=used.server_s / _HEARTBEATS)


def _size(measured: Measured) -> int:
    return measured.fleet


def _busy(measured: Measured) -> float:
    """Return how many cores PostgreSQL kept busy."""
    return measured.cpu.server_s / measured.seconds


def _row(name: str, value: float, unit: str, kept_s: float | None = None) -> Row:
    """Return a row; `kept_s` is the seconds of the peer, a kept connection."""
    return Row(
        part=_PART,
        name=name,
        value=value,
        unit=unit,
        peer=None if kept_s is None else "a kept one",
        ratio=None if kept_s is None else value / _MS / kept_s,
    )
