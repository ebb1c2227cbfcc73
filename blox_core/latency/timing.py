"""When runs have warmed up, and what is made of those that follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from blox_core.errors import MeasurementStopped
from blox_core.latency.measurement import LatencyMeasurement
from blox_core.latency.protocol import LatencyProtocol


class Timed(NamedTuple):
    """The milliseconds of a run, and for how many of them its thread had a core.

    On a GPU both are the same.
    """

    ms: float
    core_ms: float


Run = Callable[[], Timed]


def time_runs(
    run: Run, protocol: LatencyProtocol, *, should_stop: Callable[[], bool] = lambda: False
) -> LatencyMeasurement:
    """Run until times have settled, then as often as the protocol says, and return the figures.

    `should_stop` is looked at before each run; MeasurementStopped is raised if it says so.
    """

    def unless_stopped() -> Timed:
        if should_stop():
            raise MeasurementStopped("the measurement was asked to stop")
        return run()

    warm_up = [unless_stopped() for _ in range(protocol.least_warm_up)]
    while not _settled(warm_up, protocol) and len(warm_up) < protocol.most_warm_up:
        warm_up.append(unless_stopped())
    runs = [unless_stopped() for _ in range(protocol.timed_runs)]
    return LatencyMeasurement.of(
        [timed.ms for timed in runs],
        protocol,
        warm_up_runs=len(warm_up),
        undisturbed=_settled(warm_up, protocol) and _alone(runs, protocol),
    )


def _settled(runs: Sequence[Timed], protocol: LatencyProtocol) -> bool:
    half = protocol.least_warm_up // 2
    older, newer = (
        median(timed.ms for timed in part) for part in (runs[-2 * half : -half], runs[-half:])
    )
    return abs(older - newer) <= protocol.warm_up_bound * min(older, newer)


def _alone(runs: Sequence[Timed], protocol: LatencyProtocol) -> bool:
    """Return whether others had the core for no more than the share that scatter may be."""
    lost_ms = sum(timed.ms - timed.core_ms for timed in runs)
    return lost_ms <= protocol.stability_bound * sum(timed.ms for timed in runs)
