"""A made-up measurement of a latency."""

from blox_core.latency import LatencyMeasurement


def measured(median_ms: float = 3.5, *, stable: bool = False) -> LatencyMeasurement:
    """Return a measurement with this median."""
    return LatencyMeasurement(
        median_ms=median_ms, iqr_ms=0.25, least_ms=3.0, runs=50, warm_up_runs=12, stable=stable
    )
