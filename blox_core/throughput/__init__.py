"""How many models an hour a device trains, measured with the real engine on noise."""

from blox_core.throughput.figures import Throughput, TrainingTime
from blox_core.throughput.load import LEAST_EPOCHS, Load, stratified_sample
from blox_core.throughput.measuring import measure

__all__ = [
    "LEAST_EPOCHS",
    "Load",
    "Throughput",
    "TrainingTime",
    "measure",
    "stratified_sample",
]
