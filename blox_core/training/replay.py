"""Steps as CUDA graphs: recorded once for each size of a batch, then replayed.

A step is some thousand small kernels. Started one by one, they take longer to start than to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from blox_core.recipe import Recipe
from blox_core.training.batches import Positions

# What libraries set up on their first calls cannot be recorded. Three rounds are what PyTorch's
# documentation ("CUDA semantics", whole-network capture) runs before.
WARM_UP: Final = 3

Replay = Callable[[], None]
Record = Callable[[Replay, Sequence[Tensor]], Replay]


class Step(Protocol):
    """What is done with a batch; it reads and changes memory that stays where it is."""

    @property
    def changed(self) -> Sequence[Tensor]:
        """All that a step changes and the next one reads."""

    def __call__(self, positions: Positions) -> None: ...


class Replayed:
    """A step that is recorded for each size of a batch when it first comes."""

    def __init__(self, step: Step, record: Record) -> None:
        self._step = step
        self._record = record
        self._recorded: dict[int, tuple[Positions, Replay]] = {}

    def __call__(self, positions: Positions) -> None:
        if len(positions) not in self._recorded:
            self._recorded[len(positions)] = self._recording(positions)
        place, replay = self._recorded[len(positions)]
        place.copy_(positions)
        replay()

    def _recording(self, positions: Positions) -> tuple[Positions, Replay]:
        place = positions.clone()
        return place, self._record(lambda: self._step(place), self._step.changed)


def runner(step: Step, recipe: Recipe, device: torch.device) -> Callable[[Positions], None]:
    """Return how a recipe runs a step: replayed on a GPU, unless it says eager, else as it is."""
    on_graphs = device.type == "cuda" and recipe.cuda_graphs
    return Replayed(step, record_graph) if on_graphs else step


def record_graph(step: Callable[[], object], changed: Sequence[Tensor]) -> Replay:
    """Record a step in a CUDA graph and return its replay; `changed` is left as it was.

    The replay reads memory at the places of the recording, and keeps the step, whose memory it is.
    """
    with _kept(changed):
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # What other threads ask of the GPU meanwhile, such as to copy a checkpoint, is allowed.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            step()
    return _Recording(graph, step)


@dataclass(frozen=True)
class _Recording:
    """A recorded step, which is kept so that nobody else is given the memory that it reads."""

    graph: Any
    step: Callable[[], object]

    def __call__(self) -> None:
        self.graph.replay()


@contextmanager
def _kept(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Give tensors back the values they had."""
    before = [tensor.clone() for tensor in tensors]
    yield
    with torch.no_grad():
        for tensor, value in zip(tensors, before, strict=True):
            tensor.copy_(value)
