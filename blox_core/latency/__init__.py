"""Inference latency: how it is measured, and predicted for all architectures.

What describes a measurement needs no torch; `blox_core.latency.measuring` measures.
"""

from blox_core.latency.device import DeviceIdentity, deciding_facts
from blox_core.latency.measurement import LATENCY_DECIMALS, LatencyMeasurement
from blox_core.latency.predictor import LatencyPredictor
from blox_core.latency.protocol import LATENCY, LATENCY_REVISION, PRESETS, LatencyProtocol, preset

__all__ = [
    "LATENCY",
    "LATENCY_DECIMALS",
    "LATENCY_REVISION",
    "PRESETS",
    "DeviceIdentity",
    "LatencyMeasurement",
    "LatencyPredictor",
    "LatencyProtocol",
    "deciding_facts",
    "preset",
]
