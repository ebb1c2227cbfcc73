"""When runs have warmed up, and what is made of those that follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from blox_core.latency.measurement import LatencyMeasurement
from blox_core.latency.protocol import LatencyProtocol

Run = Callable[[], float]  # gives its milliseconds


def time_runs(run: Run, protocol: LatencyProtocol) -> LatencyMeasurement:
    """Run until times have settled, then as often as the protocol says, and return the figures."""
    warm_up_ms = [run() for _ in range(protocol.least_warm_up)]
    while not _settled(warm_up_ms, protocol) and len(warm_up_ms) < protocol.most_warm_up:
        warm_up_ms.append(run())
    times_ms = [run() for _ in range(protocol.timed_runs)]
    return LatencyMeasurement.of(
        times_ms,
        protocol,
        warm_up_runs=len(warm_up_ms),
        warm=_settled(warm_up_ms, protocol),
    )


def _settled(times_ms: Sequence[float], protocol: LatencyProtocol) -> bool:
    half = protocol.least_warm_up // 2
    older, newer = median(times_ms[-2 * half : -half]), median(times_ms[-half:])
    return abs(older - newer) <= protocol.warm_up_bound * min(older, newer)
