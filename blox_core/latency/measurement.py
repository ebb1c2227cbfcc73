"""What a measurement of latency gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from blox_core.latency.fields import check_fields, check_names
from blox_core.latency.protocol import LatencyProtocol
from blox_core.rules import Rule, flag, float_where, int_from

LATENCY_DECIMALS: Final = 6  # of the milliseconds in a release
_NOUN: Final = "latency measurement"


@dataclass(frozen=True, kw_only=True)
class LatencyMeasurement:
    """The milliseconds of a batch: the median of `runs`, their interquartile range, the least.

    `warm_up_runs` went before and count for nothing. `stable` is as the protocol defines it. Raises
    LatencyError for values not allowed.
    """

    median_ms: float
    iqr_ms: float
    least_ms: float
    runs: int
    warm_up_runs: int
    stable: bool

    def __post_init__(self) -> None:
        check_fields(self, _NOUN, _RULES)

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

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON holds exactly."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LatencyMeasurement:
        """Return the measurement of `to_dict`'s values, also after a way through JSON.

        Raises LatencyError for keys that are missing or unknown, and for values not allowed.
        """
        check_names(cls, _NOUN, values)
        return cls(**values)


_RULES: Final[dict[str, Rule]] = {
    "median_ms": float_where("of 0 or more", lambda x: x >= 0),
    "iqr_ms": float_where("of 0 or more", lambda x: x >= 0),
    "least_ms": float_where("of 0 or more", lambda x: x >= 0),
    "runs": int_from(1),
    "warm_up_runs": int_from(0),
    "stable": flag(),
}
