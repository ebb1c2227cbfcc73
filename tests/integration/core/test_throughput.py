"""The throughput of a device, measured in real processes, each of which loads torch."""

from dataclasses import replace

import pytest

from blox_core.errors import DeviceOutOfMemory, MeasurementFailed
from blox_core.throughput import Load, measure
from tests.support import measured
from tests.support.synthetic import ARCHITECTURE, RECIPE, uninterrupted

LOAD = Load(recipe=RECIPE, architectures=(ARCHITECTURE.index, measured.OTHER_INDEX), device="cpu")
GIB = 2**30


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_real_trainings_are_timed_side_by_side(processes):
    load = replace(LOAD, processes=processes)
    throughput = measure(load)
    order = [training.arch_index for training in throughput.trainings]
    assert order == [*load.architectures, *reversed(load.architectures)][: 2 * processes]
    assert (throughput.processes, throughput.epochs) == (processes, RECIPE.epochs)
    assert throughput.epoch_s > 0
    assert throughput.test_s > 0
    assert throughput.start_up_s > 0
    assert (throughput.device_bytes, throughput.allocated_bytes) == (None, None)
    assert GIB / 20 < throughput.resident_bytes < 8 * GIB
    assert throughput.environment == uninterrupted().environment


@pytest.mark.slow
def test_a_process_without_memory_stops_the_others():
    with pytest.raises(DeviceOutOfMemory) as caught:
        measure(replace(LOAD, processes=2), train=measured.out_of_memory_beside_others)
    assert str(caught.value) == (
        "2 processes on cpu, fp32: "
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    )


def test_a_process_that_is_killed_is_one_line():
    with pytest.raises(MeasurementFailed, match=r"^1 process on cpu, fp32: a process ended before"):
        measure(LOAD, train=measured.exits)
