"""Figures of training: how they are measured, shown, and held against their bounds."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

import torch
import torchvision

Modes = Mapping[str, Mapping[str, Any]]  # of a name, what it changes in a recipe

MOST_LOAD: Final = 0.5  # of each core


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured, on which device and how often; `share` is that of a recipe's images."""

    device: torch.device
    images: int
    runs: int
    workers: int
    batch: int
    sample: int
    share: float
    jobs: tuple[int, ...]
    compiled: bool


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What runs have measured, with the least or the most that their median may be."""

    part: str
    name: str
    unit: str
    runs: tuple[float, ...]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        """The figure that counts."""
        return median(self.runs)

    @property
    def missed(self) -> bool:
        """Whether the median is outside its bounds."""
        too_low = self.at_least is not None and not self.median >= self.at_least
        return too_low or (self.at_most is not None and not self.median <= self.at_most)

    @property
    def bound(self) -> str:
        """What the median has to be, in words; empty if anything will do."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return ", ".join(f"{name} {shown(value)}" for name, value in bounds if value is not None)

    def __str__(self) -> str:
        text = f"{self.part}: {self.name}: {shown(self.median)} {self.unit}"
        return f"{text}, {self.bound}" if self.bound else text

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON holds."""
        return asdict(self) | {"median": self.median, "missed": self.missed}


def asked(modes: Modes, effort: Effort) -> Modes:
    """Return the modes without those of compiled blocks, unless they are asked for."""
    return {
        name: changes
        for name, changes in modes.items()
        if effort.compiled or not changes.get("compiled")
    }


def measured(
    contenders: Mapping[str, Callable[[], float]], runs: int
) -> dict[str, tuple[float, ...]]:
    """Run every contender once to warm up, then all by turns; return what each has measured."""
    for run in contenders.values():
        run()
    rounds = [[run() for run in contenders.values()] for _ in range(runs)]
    return dict(zip(contenders, zip(*rounds, strict=True), strict=True))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def is_busy() -> bool:
    """Return whether other work takes more than half of the cores."""
    return os.getloadavg()[0] > MOST_LOAD * cores()


def machine(device: torch.device) -> dict[str, Any]:
    """Return what figures depend on."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else platform.processor() or "cpu",
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "busy": is_busy(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }


def table(figures: Sequence[Figure]) -> str:
    """Return figures as lines of aligned columns."""
    rows = [("part", "what", "median", "least", "most", "unit", "bound", "")]
    for figure in figures:
        values = (figure.median, min(figure.runs), max(figure.runs))
        verdict = "missed" if figure.missed else "ok" if figure.bound else ""
        rows.append(
            (figure.part, figure.name, *map(shown, values), figure.unit, figure.bound, verdict)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def shown(value: float) -> str:
    """Return a figure with as many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
