"""Trainings that nobody does, to rehearse a benchmark."""

from blox_core.simulation.simulation import (
    MAGIC,
    SIMULATED,
    SIMULATION_REVISION,
    SimulatedCheckpoint,
    load_simulated_checkpoint,
    simulate,
    simulated_result,
    simulation_identity,
)

__all__ = [
    "MAGIC",
    "SIMULATED",
    "SIMULATION_REVISION",
    "SimulatedCheckpoint",
    "load_simulated_checkpoint",
    "simulate",
    "simulated_result",
    "simulation_identity",
]
