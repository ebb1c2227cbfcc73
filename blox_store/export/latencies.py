"""Latencies of architectures that were not measured, from those that were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import LatencyError
from blox_core.latency import LatencyPredictor
from blox_core.space import SPACE_SIZE
from blox_store.store import LatencyBlock


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Which arch indices of a device are predicted, and `error_percent` as of the predictor."""

    indices: NDArray[np.int64]
    error_percent: float


def completed(
    measured: Iterator[LatencyBlock], chosen: range
) -> tuple[LatencyBlock, Prediction | None]:
    """Return the latencies of all chosen architectures, and what of them is predicted, if anything.

    Measured ones stay as they are. Raises LatencyError if too few are measured for the others, or
    if a prediction is not above 0.
    """
    blocks = list(measured)
    indices = np.concatenate([found for found, _ in blocks])
    latencies_ms = np.concatenate([found for _, found in blocks])
    wanted = np.arange(chosen.start, chosen.stop)
    known = np.full(SPACE_SIZE, np.nan)
    known[indices] = latencies_ms
    values = known[wanted]
    missing = np.isnan(values)
    if not missing.any():
        return (wanted, values), None
    predictor = LatencyPredictor.fit(indices.tolist(), latencies_ms)
    values[missing] = predictor.all_ms()[wanted[missing]]
    if not (values > 0).all():
        raise LatencyError("some predictions are not above 0")
    return (wanted, values), Prediction(
        indices=wanted[missing], error_percent=predictor.error_percent
    )


def unpredicted(device: str, why: str, *, measured_here: bool) -> str:
    """Return in words that latencies cannot be predicted, why, and what to do about it."""
    advice = (
        f"measure more by 'blox init-latency --device-name {device}' with the protocol's options "
        "and a --sample larger than before, or 135 at first"
        if measured_here
        else "they came with a release: ingest one that has more of them"
    )
    return f"latencies on {device} cannot be predicted: {why}; {advice}"
