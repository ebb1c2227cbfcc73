"""The figures of fleets as rows: latencies, rates, costs, and how the costs grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.suite.queue.cpu import CpuUse
from benchmarks.suite.queue.fleet import HEARTBEAT_S, JOB_S, SEEN_S, Sample
from benchmarks.suite.report.report import Row

MOST_P99_MS: Final = 100
KINDS: Final = ("heartbeat", "seen", "claim", "complete")
CONNECT: Final = "bare connection"
ROUND: Final = "scheduler's round"
_MS: Final = 1000
_MB: Final = 1e6


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of one fleet in `seconds`; memory is that of the server's processes."""

    fleet: int
    seconds: float
    samples: list[Sample]
    cpu: CpuUse
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


def scale_rows(fleets: Sequence[Measured]) -> list[Row]:
    """Return the rows of all fleets; the largest one's have bounds."""
    largest = max(one.fleet for one in fleets)
    rows = []
    for one in fleets:
        rows += _latency_rows(one, bounded=one.fleet == largest)
        rows += _cost_rows(one)
    return rows


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

    def row(name: str, value: float, unit: str, bound: float | None = None) -> Row:
        name = f"{name} at {measured.fleet:,}"
        return Row(part=_part(measured), name=name, value=value, unit=unit, bound=bound)

    failed = sum(sample.failed for sample in operations)
    completed = sum(sample.kind == "complete" for sample in operations)
    late_s = [sample.begun - sample.due for sample in operations]
    late = [row("begun late, p99", _MS * float(np.percentile(late_s, 99)), "ms")] if late_s else []
    return [
        row("failed operations", failed, "", 0),
        *late,
        row("jobs completed", completed / seconds, "1/s"),
        row("transactions", rate, "1/s"),
        row("CPU of PostgreSQL", cpu.server_s / seconds, "cores"),
        row("memory of PostgreSQL's connections", measured.memory_bytes / _MB, "MB"),
        row("CPU of the simulated workers", cpu.clients_s / seconds, "cores"),
        row("CPU of the whole machine", cpu.machine_s / seconds, "cores"),
    ]


def _part(measured: Measured) -> str:
    return (
        f"scale: {measured.fleet:,} workers, {measured.seconds:g} s: a heartbeat every "
        f"{HEARTBEAT_S:g} s, presence every {SEEN_S:g} s, jobs of {JOB_S[0]:g} to {JOB_S[1]:g} s"
    )
