"""A sweep over precisions and jobs on one GPU, and the best of it; it loads no torch itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from blox_core.errors import DeviceOutOfMemory

if TYPE_CHECKING:
    from blox_core.throughput import Load, Throughput


@dataclass(frozen=True, kw_only=True)
class TuningRow:
    """What a load gave; no throughput where it did not fit into the memory."""

    load: Load
    throughput: Throughput | None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as values that JSON holds; times in seconds, None without a throughput."""
        row = {"precision": self.load.recipe.precision, "jobs": self.load.processes}
        row["out_of_memory"] = self.throughput is None
        if self.throughput is None:
            return row
        measured = asdict(self.throughput)
        for known in ("processes", "epochs", "environment"):
            del measured[known]
        derived = ("model_s", "models_per_hour", "full_run_hours")
        return row | {name: getattr(self.throughput, name) for name in derived} | measured


def loads(load: Load, precisions: Sequence[str], jobs: Sequence[int]) -> list[list[Load]]:
    """Return the loads of a sweep: a list for each precision, from few jobs to many."""
    recipes = [replace(load.recipe, precision=precision) for precision in precisions]
    return [
        [replace(load, recipe=recipe, processes=number) for number in sorted(set(jobs))]
        for recipe in recipes
    ]


def sweep(
    lists: Sequence[Sequence[Load]], measure: Callable[[Load], Throughput]
) -> Iterator[TuningRow]:
    """Yield a row for each load; one that runs out of memory ends its list."""
    for load_list in lists:
        for load in load_list:
            try:
                throughput = measure(load)
            except DeviceOutOfMemory:
                yield TuningRow(load=load, throughput=None)
                break
            yield TuningRow(load=load, throughput=throughput)


def best(rows: Sequence[TuningRow]) -> TuningRow:
    """Return the row of most models per hour; DeviceOutOfMemory says if nothing did fit."""
    fitting = [row for row in rows if row.throughput is not None]
    if not fitting:
        raise DeviceOutOfMemory(
            "no load fits into the memory of the device; see what else runs on it, or try "
            "--set with a smaller batch_size"
        )
    return max(fitting, key=_rate)


def _rate(row: TuningRow) -> float:
    return 0.0 if row.throughput is None else row.throughput.models_per_hour
