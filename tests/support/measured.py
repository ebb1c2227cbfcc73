"""Trainings for measurements of throughput, by name: the measured processes import them."""

import os
import time
from dataclasses import replace

import torch

from blox_core.result.epoch_report import EpochReport
from blox_core.result.metrics import EpochMetrics, Score
from blox_core.training import train
from tests.support.synthetic import ARCHITECTURE, RECIPE, uninterrupted

OTHER_INDEX = 50_000
EPOCH_S = (9.0, 1.0, 3.0, 2.0)


def told_times(architecture, recipe, seed, *, on_epoch, **rest):
    """Report the seconds of EPOCH_S, ten times as many for OTHER_INDEX, and take no time."""
    score = Score(top1=0, top5=0, loss=1.0)
    factor = 10 if architecture.index == OTHER_INDEX else 1
    for epoch, seconds in enumerate(EPOCH_S, 1):
        metrics = EpochMetrics(train=score, val=score, seconds=factor * seconds)
        on_epoch(EpochReport(epoch=epoch, epochs=4, metrics=metrics, checkpoint=lambda: None))
    return uninterrupted()


def slow_start(architecture, recipe, seed, *, on_epoch, **rest):
    """Take 0.2 s before the first epoch and 0.1 s after the last one, by the clock of the process."""
    pass_time(0.2)
    result = told_times(architecture, recipe, seed, on_epoch=lambda report: on_epoch(tiny(report)))
    pass_time(0.1)
    return result


def pass_time(seconds):
    """Put the clock forward."""
    clock = time.perf_counter
    time.perf_counter = lambda: clock() + seconds


def tiny(report):
    return replace(report, metrics=replace(report.metrics, seconds=0.001))


def out_of_memory(*arguments, **rest):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee more")


def out_of_memory_beside_others(architecture, recipe, seed, **rest):
    """Fail in the process that begins with OTHER_INDEX, and train in others until told to stop."""
    if architecture.index == OTHER_INDEX:
        out_of_memory()
    return train(ARCHITECTURE, replace(RECIPE, epochs=100_000), seed, **rest)


def refused_memory(*arguments, **rest):
    raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")


def faulty(*arguments, **rest):
    raise ZeroDivisionError("it was nothing")


def exits(*arguments, **rest):
    os._exit(1)


def diverges(architecture, recipe, seed, **rest):
    return uninterrupted()
