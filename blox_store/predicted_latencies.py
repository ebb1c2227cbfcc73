"""Latencies of architectures that were not measured, from those that were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import LatencyError
from blox_core.latency import LatencyPredictor
from blox_core.space import SPACE_SIZE
from blox_store.errors import ExportRefused

Latencies: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]  # arch indices, milliseconds


def completed(device: str, measured: Iterator[Latencies], chosen: range) -> tuple[Latencies, int]:
    """Return the latencies of all chosen architectures, and how many of them are predicted.

    Measured ones stay as they are. Raises ExportRefused if too few are measured for the others, or
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
    if missing.any():
        values[missing] = _predictions(device, indices, latencies_ms, wanted[missing])
    return (wanted, values), int(missing.sum())


def _predictions(
    device: str,
    indices: NDArray[np.int64],
    latencies_ms: NDArray[np.float64],
    wanted: NDArray[np.int64],
) -> NDArray[np.float64]:
    try:
        predictions = LatencyPredictor.fit(indices.tolist(), latencies_ms).all_ms()[wanted]
    except LatencyError as error:
        raise _refusal(device, str(error)) from error
    if not (predictions > 0).all():
        raise _refusal(device, "some predictions are not above 0")
    return predictions


def _refusal(device: str, why: str) -> ExportRefused:
    return ExportRefused(
        f"latencies on {device} cannot be predicted: {why}; measure more by 'blox init-latency "
        f"--device-name {device}' with the protocol's options and a --sample larger than before, or "
        "135 at first, or leave --predicted out"
    )
