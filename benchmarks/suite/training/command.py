"""The benchmark of training: torch, torchvision and numpy are all it needs."""

from __future__ import annotations

from typing import Any, Final

import torch
import torchvision

from benchmarks.suite.report.benchmark import Benchmark
from benchmarks.suite.training.augmentation import augmentation
from benchmarks.suite.training.checkpoint import checkpoint
from benchmarks.suite.training.effort import Effort
from benchmarks.suite.training.steps import steps
from benchmarks.suite.training.throughput import jobs, models


def _about(effort: Effort) -> dict[str, Any]:
    """Give torch its threads; return on what figures depend."""
    torch.set_num_threads(effort.threads)
    device = torch.cuda.get_device_name(effort.device) if effort.on_cuda else "cpu"
    libraries = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    return {"device": device, "threads": effort.threads, **libraries}


BENCHMARK: Final = Benchmark(
    name="training",
    options=Effort,
    parts={
        "augmentation": lambda effort: (augmentation(effort), {}),
        "step": lambda effort: (steps(effort), {}),
        "models": lambda effort: (models(effort), {}),
        "jobs": lambda effort: (jobs(effort), {}),
        "checkpoint": lambda effort: (checkpoint(effort), {}),
    },
    about=_about,
)
