"""What a measurement of latency gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

import numpy as np

from blox_core.errors import LatencyError
from blox_core.latency.protocol import LatencyProtocol
from blox_core.record import Record
from blox_core.rules import Count, Flag, float_where, int_from

LATENCY_DECIMALS: Final = 6  # of the milliseconds in a release
Milliseconds: TypeAlias = Annotated[float, float_where("of 0 or more", lambda x: x >= 0)]


@dataclass(frozen=True, kw_only=True)
class LatencyMeasurement(Record, noun="latency measurement", error=LatencyError):
    """The milliseconds of a batch: the median of `runs`, their interquartile range, the least.

    `warm_up_runs` went before and count for nothing. `stable` is as the protocol defines it. Raises
    LatencyError for values not allowed.
    """

    median_ms: Milliseconds
    iqr_ms: Milliseconds
    least_ms: Milliseconds
    runs: Count
    warm_up_runs: Annotated[int, int_from(0)]
    stable: Flag

    @classmethod
    def of(
        cls,
        times_ms: Sequence[float],
        protocol: LatencyProtocol,
        *,
        warm_up_runs: int,
        undisturbed: bool,
    ) -> LatencyMeasurement:
        """Return what timed runs say; they are stable if they were undisturbed and agree."""
        lower, median, upper = (float(q) for q in np.quantile(times_ms, (0.25, 0.5, 0.75)))
        return cls(
            median_ms=median,
            iqr_ms=upper - lower,
            least_ms=min(times_ms),
            runs=len(times_ms),
            warm_up_runs=warm_up_runs,
            stable=undisturbed and upper - lower <= protocol.stability_bound * median,
        )
