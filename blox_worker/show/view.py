"""An architecture as people see it in a terminal: its cells, its numbers, what is known of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from blox_core.space import Architecture
from blox_worker.show.cell_text import cell_lines
from blox_worker.show.facts import ArchitectureFacts, Training
from blox_worker.wording import describe_cells, duration

_OP_STYLES: Final = {"conv": "bold blue", "mbconv": "bold magenta", "bconv": "bold green"}
_UNKNOWN: Final = "-"
_MADE_UP: Final = "simulated: figures are made up, nothing was trained"


def architecture_view(facts: ArchitectureFacts) -> RenderableType:
    """Return what `blox show` shows."""
    parts: list[RenderableType] = [Text(line) for line in fact_lines(facts)]
    parts += _stages(facts.architecture)
    if facts.trainings:
        parts.append(_trainings(facts.trainings))
    elif facts.source is not None:
        parts.append(Text(f"\nno training of it in {facts.source}"))
    if any(training.is_simulated for training in facts.trainings):
        parts.append(Text(_MADE_UP))
    if facts.latencies_ms:
        parts.append(_latencies(facts))
    return Group(*parts)


def fact_lines(facts: ArchitectureFacts) -> Iterator[str]:
    """Yield what stands above the cells, the name first."""
    architecture = facts.architecture
    yield f"architecture {architecture.index}: {describe_cells(architecture.index)}"
    yield f"hash      {architecture.model_hash}"
    yield f"arch vec  {json.dumps(architecture.arch_vec, separators=(',', ':'))}"
    yield f"params    {facts.params:,}"
    yield f"FLOPs     {facts.flops:,} ({facts.shape})"


def result_lines(facts: ArchitectureFacts) -> Iterator[str]:
    """Yield trainings and latencies for where there are no tables, short enough for a picture."""
    for training in facts.trainings:
        val, test = map(_percent, (training.val_top1, training.test_top1))
        yield f"training  {training.name}"
        yield f"          val {val} %, test {test} %, in {duration(training.train_time_s)}"
    if any(training.is_simulated for training in facts.trainings):
        yield f"          {_MADE_UP}"
    for device, latency_ms in facts.latencies_ms.items():
        yield f"latency   {latency_ms:.6f} ms on {_with_doubt(facts, device)}"


def _stages(architecture: Architecture) -> Iterator[Text]:
    for stage, cell in enumerate(architecture.cells, 1):
        yield Text(f"\nstage {stage}", style="bold")
        drawn = Text("\n".join(f"  {line}" for line in cell_lines(cell)))
        for op, style in _OP_STYLES.items():
            drawn.highlight_regex(rf"\b{op}\b", style)
        yield drawn


def _trainings(trainings: tuple[Training, ...]) -> Table:
    table = _table("training", "val %", "test %", "time")
    for training in trainings:
        accuracies = map(_percent, (training.val_top1, training.test_top1))
        table.add_row(Text(training.name), *accuracies, duration(training.train_time_s))
    return table


def _latencies(facts: ArchitectureFacts) -> Table:
    table = _table("device", "latency, ms")
    for device, latency_ms in facts.latencies_ms.items():
        table.add_row(Text(_with_doubt(facts, device)), f"{latency_ms:.6f}")
    return table


def _with_doubt(facts: ArchitectureFacts, device: str) -> str:
    doubt = facts.doubts.get(device)
    return f"{device}, {doubt}" if doubt else device


def _percent(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.3f}"


def _table(what: str, *figures: str) -> Table:
    return Table(what, *(Column(name, justify="right") for name in figures), box=box.SIMPLE_HEAD)
