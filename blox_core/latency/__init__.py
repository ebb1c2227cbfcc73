"""Inference latency: how it is measured, and predicted for all architectures.

What describes a measurement needs no torch; `blox_core.latency.measuring` measures.
"""

from blox_core.latency.device import DeviceIdentity
from blox_core.latency.measurement import LatencyMeasurement
from blox_core.latency.predictor import LatencyPredictor
from blox_core.latency.protocol import LatencyProtocol, preset

__all__ = [
    "DeviceIdentity",
    "LatencyMeasurement",
    "LatencyPredictor",
    "LatencyProtocol",
    "preset",
]
