"""One of the processes that are measured: it trains a sample, beside others that do the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import BrokenBarrierError
from typing import TYPE_CHECKING, Final

import torch

from blox_core.data.noise import noise
from blox_core.data.training_data import TrainingData
from blox_core.errors import BloxError, MeasurementFailed, TrainingStopped
from blox_core.result import TrainingResult
from blox_core.result.epoch_report import EpochReport
from blox_core.space import Architecture
from blox_core.throughput.figures import ProcessFigures, TrainingTime
from blox_core.throughput.load import Load

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

Train = Callable[..., TrainingResult]

_SEED: Final = 0
_STATUS_FILE: Final = Path("/proc/self/status")
_KIB: Final = 1024
# How cuDNN and cuBLAS put it; torch itself raises OutOfMemoryError, or says "out of memory".
_ALLOCATION_FAILED: Final = ("out of memory", "ALLOC_FAILED")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why a process failed, as text: not every exception survives the way to another process."""

    text: str
    out_of_memory: bool


class _Place:
    """What the process was started with."""

    barrier: Barrier


def enter(barrier: Barrier) -> None:
    """Begin a process; the barrier is where all wait for each other, and how they are stopped."""
    _Place.barrier = barrier


def measure_process(load: Load, number: int, train: Train) -> ProcessFigures | Fault | None:
    """Measure as process `number`; None if it was stopped because another one failed."""
    try:
        return _measure(load, number, train)
    except (BrokenBarrierError, TrainingStopped):
        return None
    except Exception as error:  # noqa: BLE001 - the caller is told, whatever it is
        _Place.barrier.abort()
        return _fault(error)


def _measure(load: Load, number: int, train: Train) -> ProcessFigures:
    data = noise(load.timed_recipe)
    torch.zeros(1, device=load.device)  # makes the CUDA context, which a worker makes once
    _Place.barrier.wait()
    watches = [_Watch(load, index) for index in load.of_process(number)]
    results = [watch.time(train, data) for watch in watches]
    on_gpu = torch.device(load.device).type == "cuda"
    return ProcessFigures(
        trainings=tuple(watch.training for watch in watches),
        environment=results[0].environment,
        device_bytes=max(watch.device_bytes for watch in watches) if on_gpu else None,
        allocated_bytes=torch.cuda.max_memory_allocated(load.device) if on_gpu else None,
        resident_bytes=_resident_bytes(),
    )


class _Watch:
    """Times one training."""

    def __init__(self, load: Load, arch_index: int) -> None:
        self._load = load
        self._arch_index = arch_index
        self._epochs_s: list[float] = []
        self._ends: list[float] = []
        self.device_bytes = 0

    def time(self, train: Train, data: TrainingData) -> TrainingResult:
        """Train; MeasurementFailed says if it ended before its last epoch."""
        load = self._load
        self._start = time.perf_counter()
        result = train(
            Architecture(self._arch_index),
            load.timed_recipe,
            _SEED,
            device=load.device,
            data=data,
            on_epoch=self._on_epoch,
            should_stop=lambda: _Place.barrier.broken,
        )
        self._end = time.perf_counter()
        if len(self._epochs_s) < load.epochs:
            raise MeasurementFailed(
                f"architecture {self._arch_index} diverged on noise after "
                f"{len(self._epochs_s)} of {load.epochs} epochs; a lower lr trains to the end"
            )
        return result

    def _on_epoch(self, report: EpochReport) -> None:
        self._epochs_s.append(report.metrics.seconds)
        if torch.device(self._load.device).type == "cuda":
            free, total = torch.cuda.mem_get_info(self._load.device)
            self.device_bytes = max(self.device_bytes, total - free)
        self._ends.append(time.perf_counter())

    @property
    def training(self) -> TrainingTime:
        """The times of the training that has ended."""
        epoch_s = median(self._epochs_s[1:])
        return TrainingTime(
            arch_index=self._arch_index,
            start_up_s=max(0.0, self._ends[0] - self._start - epoch_s),
            epoch_s=epoch_s * self._load.scale,
            test_s=(self._end - self._ends[-1]) * self._load.scale,
        )


def _fault(error: Exception) -> Fault:
    text = str(error) if isinstance(error, BloxError) else f"{type(error).__name__}: {error}"
    memory = isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(words in text for words in _ALLOCATION_FAILED)
    )
    return Fault(text=text.strip().partition("\n")[0], out_of_memory=memory)


def _resident_bytes() -> int | None:
    """Return the most memory of this process; getrusage would count its parent's before exec."""
    if not _STATUS_FILE.exists():  # not Linux
        return None
    peak = _STATUS_FILE.read_text().split("VmHWM:")[1].split()[0]
    return int(peak) * _KIB
