"""A sweep of `blox tune-gpu` as people see it: what is timed, a table, and what to type."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.table import Table

from blox_core.recipe import PRESETS, Recipe
from blox_worker.device.gpus import CPU
from blox_worker.device.slots import ALL, Slot
from blox_worker.tuning.sweep import TuningRow
from blox_worker.wording import counted, name_of

if TYPE_CHECKING:
    from blox_core.throughput import Load, Throughput

_HEADINGS: Final = (
    "precision",
    "jobs",
    "start-up",
    "epoch",
    "test",
    "models/hour",
    "memory",
    "of one job",
)
_WHOLE: Final = 100  # from which decimals say nothing
_GIB: Final = 2**30
_UNKNOWN: Final = "-"


def timed(load: Load, slot: Slot) -> str:
    """Return what is timed, and how."""
    sample = ", ".join(name_of(index) for index in load.architectures)
    share = ""
    if load.scale != 1:
        share = (
            f"; on {load.timed_recipe.train_images:,} of {load.recipe.train_images:,} "
            f"training images, times of epochs and tests x {load.scale:.3g}"
        )
    return (
        f"{slot.name}: {load.recipe.dataset}, {load.recipe.epochs} epochs; sample by FLOPs: "
        f"{sample}; median of {counted(load.epochs - 1, 'epoch')} after the first{share}"
    )


def tuning_table(rows: Sequence[TuningRow], best: TuningRow | None) -> Table:
    """Return the rows as a table in which the best one is marked."""
    table = Table(box=box.SIMPLE_HEAD)
    processor = CPU if rows[0].load.device == CPU else "GPU"
    for heading in (*_HEADINGS, f"{processor.upper()}-hours for all", ""):
        table.add_column(heading, justify="left" if heading in ("precision", "") else "right")
    for row in rows:
        start = row.load.recipe.precision, str(row.load.processes)
        if row.throughput is None:
            table.add_row(*start, *[""] * _HEADINGS[2:].index("memory"), "out of memory")
        else:
            table.add_row(*start, *_cells(row.throughput), "best" if row is best else "")
    return table


def environment_line(throughput: Throughput) -> str:
    """Return on what was timed."""
    about = throughput.environment
    return f"{about.gpu}, driver {about.driver}, torch {about.torch_version}"


def next_commands(best: TuningRow, base: Recipe, *, on_cpu: bool) -> list[str]:
    """Return the commands that train as the best row did, by a recipe made from a preset."""
    return [
        f"blox init {options_of(best.load.recipe, base)} --seed 0",
        f"blox worker --gpus {CPU if on_cpu else ALL} --jobs-per-gpu {best.load.processes}",
    ]


def _cells(throughput: Throughput) -> tuple[str, ...]:
    times = (throughput.start_up_s, throughput.epoch_s, throughput.test_s)
    own = throughput.allocated_bytes or throughput.resident_bytes
    return (
        *(f"{_figure(time)} s" for time in times),
        _figure(throughput.models_per_hour),
        _memory(throughput.device_bytes),
        _memory(own),
        _figure(throughput.full_run_hours),
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE else f"{value:.3g}"


def _memory(size: int | None) -> str:
    return _UNKNOWN if size is None else f"{size / _GIB:.1f} GiB"


def options_of(recipe: Recipe, base: Recipe) -> str:
    """Return the options that make this recipe of a preset."""
    (name,) = (name for name, known in PRESETS.items() if known == base)
    values, known = recipe.to_dict(), base.to_dict()
    changes = {field: value for field, value in values.items() if value != known[field]}
    texts = (f"{field}={_text(value)}" for field, value in changes.items())
    return " ".join([f"--recipe {name}", *(f"--set {shlex.quote(text)}" for text in texts)])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
