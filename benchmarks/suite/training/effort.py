"""How much `benchmarks/training.py` measures, and how contenders are measured by turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

from benchmarks.suite.report.benchmark import cores
from benchmarks.suite.report.options import Options, number, option, several
from benchmarks.suite.report.row import Row
from blox_core.recipe import Recipe, preset

Modes = Mapping[str, Mapping[str, Any]]  # of a name, what it changes in a recipe

# An epoch of the published recipe takes a CPU a quarter of an hour: a few steps stand for it.
ON_CPU: Final = {"batch": 32, "share": 0.003, "jobs": (1, 2)}
ON_CUDA: Final = {"batch": 256, "share": 1.0, "jobs": (1, 2, 4, 8)}
_WHOLE: Final = number(int, 1)


def _usual(name: str) -> str:
    return f"({ON_CPU[name]} on a CPU, {ON_CUDA[name]} on CUDA)"


@dataclass(frozen=True, kw_only=True)
class Effort(Options):
    """How much is measured, on which device and how often; `share` is that of a recipe's images.

    What is not told is what takes minutes on the device.
    """

    device: torch.device = option(  # noqa: RUF009 - it returns a field
        torch.device("cpu"), "A cpu or cuda.", torch.device
    )
    images: int = option(45_000, "Images of an epoch.", _WHOLE)
    runs: int = option(5, "Runs of which medians count.", _WHOLE)
    workers: int = option(2, "Workers of the DataLoader.", number(int, 0))
    threads: int = option(cores(), "Threads of torch.", _WHOLE)
    batch: int = option(None, f"Images of a step {_usual('batch')}.", _WHOLE)
    sample: int = option(3, "Architectures, up to 3.", number(int, 1, 3))
    share: float = option(None, f"Share of an epoch {_usual('share')}.", number(float, 0, 1))
    jobs: Sequence[int] = option(None, f"Side by side {_usual('jobs')}.", several(_WHOLE))
    compiled: bool = option(False, "Measure compiled blocks too.")

    def __post_init__(self) -> None:
        for name, usual in (ON_CUDA if self.on_cuda else ON_CPU).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, usual)

    @property
    def on_cuda(self) -> bool:
        """Whether a GPU is measured."""
        return self.device.type == "cuda"

    @property
    def on_h100(self) -> bool:
        """Whether bounds of an H100 count."""
        return self.on_cuda and "H100" in torch.cuda.get_device_name(self.device)

    def asked(self, on_cpu: Modes, on_cuda: Modes) -> Modes:
        """Return the modes of the device, without those of compiled blocks unless asked for."""
        return {
            name: changes
            for name, changes in (on_cuda if self.on_cuda else on_cpu).items()
            if self.compiled or not changes.get("compiled")
        }


def published(**changes: Any) -> Recipe:
    """Return the published recipe with changes, by the threads that torch has now."""
    return replace(preset("cifar100"), cpu_threads=torch.get_num_threads(), **changes)


def measured(
    contenders: Mapping[str, Callable[[], float]], runs: int
) -> dict[str, tuple[float, ...]]:
    """Run every contender once to warm up, then all by turns; return what each has measured."""
    for run in contenders.values():
        run()
    rounds = [[run() for run in contenders.values()] for _ in range(runs)]
    return dict(zip(contenders, zip(*rounds, strict=True), strict=True))


def ratio(name: str, ours: Sequence[float], peers: Sequence[float], **bounds: float | None) -> Row:
    """Return the row of how many times a peer's figures ours are, run by run."""
    runs = [mine / other for mine, other in zip(ours, peers, strict=True)]
    return Row(name, runs, "x", **bounds)
