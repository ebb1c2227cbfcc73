"""A measurement: processes are started, measure together, and give one value."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from blox_core import training
from blox_core.errors import DeviceOutOfMemory, MeasurementFailed
from blox_core.throughput.figures import ProcessFigures, Throughput
from blox_core.throughput.load import Load
from blox_core.throughput.process import Fault, Train, enter, measure_process


def measure(load: Load, *, train: Train = training.train) -> Throughput:
    """Return how fast the load is trained by `train`, a function of a module.

    Each process has a CUDA context of its own and begins when all are ready; all have the same
    work, so that they end together. Raises MeasurementFailed, in one line, if one fails, and
    DeviceOutOfMemory if that was for lack of memory.
    """
    context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA
    barrier = context.Barrier(load.processes)
    pool = ProcessPoolExecutor(load.processes, context, initializer=enter, initargs=(barrier,))
    with pool:
        try:
            futures = [
                pool.submit(measure_process, load, number, train)
                for number in range(load.processes)
            ]
            wait(futures)
            outcomes = [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise MeasurementFailed(
                f"{_title(load)}: a process ended before it had measured; the lines above, or the system's log, say why"
            ) from error
        finally:
            barrier.abort()  # an interrupt ends trainings that still run
    return Throughput.of(load, checked(load, outcomes))


def checked(load: Load, outcomes: list[ProcessFigures | Fault | None]) -> list[ProcessFigures]:
    """Return what all processes have measured, or raise what the first fault says."""
    faults = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    for fault in sorted(faults, key=lambda fault: not fault.out_of_memory):
        kind = DeviceOutOfMemory if fault.out_of_memory else MeasurementFailed
        raise kind(f"{_title(load)}: {fault.text}")
    return [outcome for outcome in outcomes if isinstance(outcome, ProcessFigures)]


def _title(load: Load) -> str:
    noun = "process" if load.processes == 1 else "processes"
    return f"{load.processes} {noun} on {load.device}, {load.recipe.precision}"
