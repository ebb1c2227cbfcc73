"""What a training tells after every epoch, whoever trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from blox_core.result.metrics import EpochMetrics


class Saveable(Protocol):
    """A checkpoint of any trainer, as its keeper sees it."""

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""

    def save(self, path: str | Path) -> None:
        """Write the checkpoint; a file of that name is replaced at once or not at all."""


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """A finished epoch (from 1) of `epochs`; `checkpoint()` makes the checkpoint after it.

    Any thread may call `checkpoint`, also later: the training goes on meanwhile, and changes
    nothing that a checkpoint is made from.
    """

    epoch: int
    epochs: int
    metrics: EpochMetrics
    checkpoint: Callable[[], Saveable]
