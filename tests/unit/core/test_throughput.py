"""The throughput of a device: what is measured in a process, and what follows from it."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from blox_core.data.noise import noise
from blox_core.errors import DeviceOutOfMemory, LoadError, MeasurementFailed
from blox_core.recipe import preset
from blox_core.space import SPACE_SIZE
from blox_core.throughput import Load, Throughput, TrainingTime, process, stratified_sample
from blox_core.throughput.figures import ProcessFigures
from blox_core.throughput.measuring import checked
from blox_core.throughput.process import Fault, enter, measure_process
from tests.support import measured
from tests.support.synthetic import ARCHITECTURE, RECIPE, uninterrupted

LOAD = Load(recipe=RECIPE, architectures=(ARCHITECTURE.index, measured.OTHER_INDEX), device="cpu")
GIB = 2**30


@pytest.fixture
def alone(monkeypatch):
    """Measure in this process: to start one that loads torch takes seconds."""
    monkeypatch.setattr(process, "_Place", type("_Place", (), {}))
    enter(threading.Barrier(1))
    uninterrupted()  # what made-up trainings return is there
    return lambda load, train: measure_process(load, 0, train)


def test_an_epoch_is_the_median_after_the_first_one(alone):
    trainings = alone(LOAD, measured.told_times).trainings
    assert [training.epoch_s for training in trainings] == [2.0, 20.0]
    assert [training.start_up_s for training in trainings] == [0.0, 0.0]  # whatever the clock says


def test_start_up_and_test_are_what_the_epochs_leave(alone):
    (training, _) = alone(LOAD, measured.slow_start).trainings
    assert 0.19 < training.start_up_s < 1
    assert 0.1 <= training.test_s < 1


def figures(*trainings, device_bytes=None, allocated_bytes=None, resident_bytes=None):
    return ProcessFigures(
        trainings=trainings,
        environment=uninterrupted().environment,
        device_bytes=device_bytes,
        allocated_bytes=allocated_bytes,
        resident_bytes=resident_bytes,
    )


def test_the_figures_of_all_processes_make_one():
    load = replace(LOAD, recipe=preset("cifar100"), processes=2)
    one = figures(
        TrainingTime(arch_index=1, start_up_s=60.0, epoch_s=0.3, test_s=0.5),
        TrainingTime(arch_index=2, start_up_s=2.0, epoch_s=0.5, test_s=1.5),
        device_bytes=7,
        allocated_bytes=3,
    )
    other = figures(
        TrainingTime(arch_index=2, start_up_s=3.0, epoch_s=0.4, test_s=1.0),
        device_bytes=9,
        allocated_bytes=2,
    )
    throughput = Throughput.of(load, [one, other])
    assert (throughput.device_bytes, throughput.allocated_bytes) == (9, 3)
    assert throughput.resident_bytes is None
    assert throughput.start_up_s == 3.0  # the median: a worker starts its first model only once
    assert throughput.model_s == pytest.approx(3 + 200 * 0.4 + 1)
    assert throughput.models_per_hour == pytest.approx(2 * 3600 / 84)
    assert throughput.full_run_hours == pytest.approx(SPACE_SIZE * 84 / 7200)


def test_a_sample_is_of_the_middles_of_equal_strata():
    flops = np.array([50, 10, 30, 20, 40, 60])
    assert stratified_sample(flops, 1) == (4,)
    assert stratified_sample(flops, 3) == (3, 4, 5)
    assert stratified_sample(flops, 6) == (1, 3, 2, 4, 0, 5)
    assert stratified_sample([7, 7, 7], 3) == (0, 1, 2)
    with pytest.raises(LoadError, match="a sample of 7 architectures: 1 to 6 is allowed"):
        stratified_sample(flops, 7)
    with pytest.raises(LoadError, match="a sample of 0 architectures: 1 to 6 is allowed"):
        stratified_sample(flops, 0)


def test_every_process_begins_with_another_architecture():
    load = replace(LOAD, architectures=(5, 6, 7))
    assert [load.of_process(number) for number in range(4)] == [
        (5, 6, 7),
        (6, 7, 5),
        (7, 5, 6),
        (5, 6, 7),
    ]


def test_a_share_of_the_images_is_in_whole_steps_and_scaled_back(alone):
    load = replace(LOAD, recipe=preset("cifar100"))
    assert (load.scale, load.timed_recipe) == (1, replace(preset("cifar100"), epochs=4))
    tenth = replace(load, share=0.1)
    assert tenth.scale == 176 / 18
    timed = tenth.timed_recipe
    assert (timed.train_images, timed.val_images, timed.test_images) == (18 * 256, 512, 1023)
    assert replace(load, share=1e-9).timed_recipe.train_images == 256
    few = replace(LOAD, share=0.3)  # one of the three steps of 8, 8 and 4 images
    assert [one.epoch_s for one in alone(few, measured.told_times).trainings] == [6.0, 60.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"processes": 0}, "load: processes = 0: 1 or more is allowed"),
        ({"epochs": 3}, "load: epochs = 3: 4 or more is allowed"),
        ({"share": 0.0}, "load: share = 0.0: a number above 0 and up to 1 is allowed"),
        ({"share": 1.1}, "load: share = 1.1: a number above 0 and up to 1 is allowed"),
        ({"architectures": ()}, "load: architectures = (): at least one arch index is allowed"),
    ],
)
def test_a_load_of_which_nothing_can_be_measured(change, message):
    with pytest.raises(LoadError) as caught:
        replace(LOAD, **change)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("train", "text", "out_of_memory"),
    [
        (measured.refused_memory, "RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        (measured.faulty, "ZeroDivisionError: it was nothing", False),
        (
            measured.diverges,
            (
                "architecture 18639 diverged on noise after 0 of 4 epochs; "
                "a lower lr trains to the end"
            ),
            False,
        ),
    ],
)
def test_a_fault_is_one_line(alone, train, text, out_of_memory):
    assert alone(LOAD, train) == Fault(text=text, out_of_memory=out_of_memory)


def test_lack_of_memory_counts_before_what_it_led_to(alone):
    memory = alone(LOAD, measured.out_of_memory)
    other = Fault(text="a broken pipe", out_of_memory=False)
    with pytest.raises(DeviceOutOfMemory):
        checked(LOAD, [None, other, memory])
    with pytest.raises(MeasurementFailed, match="1 process on cpu, fp32: a broken pipe") as caught:
        checked(LOAD, [None, other])
    assert type(caught.value) is MeasurementFailed


def test_noise_fits_its_recipe_and_is_the_same_again():
    data = noise(RECIPE)
    data.check(RECIPE)
    assert data.train_images.tobytes() == noise(RECIPE).train_images.tobytes()
    assert data.train_images.tobytes() != noise(RECIPE, seed=1).train_images.tobytes()
