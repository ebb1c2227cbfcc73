"""The status of a store as people see it: a few lines for each run, a table of the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blox_worker.status.run_status import Activity, RunStatus, StoreStatus, WorkerStatus
from blox_worker.wording import counted, duration, jobs_by_state, name_of

NO_RUN: Final = "the store has no run; make one by 'blox init'"
_UNKNOWN: Final = "-"
_WHOLE_RATE: Final = 10  # jobs per hour from which a decimal says nothing


def status_view(status: StoreStatus) -> RenderableType:
    """Return what `blox status` shows."""
    parts: list[RenderableType] = [Text(NO_RUN)] if not status.runs else []
    for run in status.runs:
        parts += [Text(line) for line in _run_lines(run)]
        if run.failed:
            parts.append(_failed_table(run))
            parts += [Text(line) for line in _failed_rest(run)]
    if status.workers:
        parts.append(_workers_table(status.workers))
    parts += [Text(line) for worker in status.workers for line in _warnings(worker)]
    return Group(*parts)


def _run_lines(run: RunStatus) -> Iterator[str]:
    paused = " (paused)" if run.paused else ""
    yield f"{run.name}{paused}: {jobs_by_state(run.jobs)}"
    if run.progress is not None:
        yield f"  {_progress(run.progress)} done, {_rate(run)}"
    yield f"  scheduler: {run.scheduler or 'none is active'}"
    if run.failures:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(run.failures.items()))
        yield f"  failed attempts: {kinds}"


def _progress(share: float) -> str:
    return f"{int(share * 1000) / 10} %"  # rounded down: 100 % is when all has ended


def _rate(run: RunStatus) -> str:
    if run.rate_per_hour is None:
        return "rate not known yet"
    decimals = 0 if run.rate_per_hour == 0 or run.rate_per_hour >= _WHOLE_RATE else 1
    rate = f"{run.rate_per_hour:,.{decimals}f} jobs per hour"
    return f"{rate}, ETA {duration(run.eta_s)}" if run.eta_s else rate


def _failed_table(run: RunStatus) -> Table:
    table = Table("failed job", "attempts", "error", box=box.SIMPLE_HEAD)
    for job in run.failed:
        table.add_row(name_of(job.arch_index), str(job.attempts), Text(job.error or ""))
    return table


def _failed_rest(run: RunStatus) -> Iterator[str]:
    more = run.jobs["failed"] - len(run.failed)
    if more > 0:
        yield f"  {more:,} more: blox jobs --run {run.id} --state failed"


_COLUMNS: Final[dict[str, Callable[[WorkerStatus], str]]] = {
    "worker": lambda worker: worker.name,
    "device": lambda worker: worker.device or _UNKNOWN,
    "run": lambda worker: _UNKNOWN if worker.run_id is None else str(worker.run_id),
    "job": lambda worker: _UNKNOWN if worker.arch_index is None else name_of(worker.arch_index),
    "epoch": lambda worker: _epoch(worker),
    "images/s": lambda worker: _speed(worker.images_per_s),
    "heartbeat": lambda worker: _ago(worker.seen_ago_s),
    "lease ends in": lambda worker: _lease(worker.lease_left_s),
    "up": lambda worker: _UNKNOWN if worker.up_s is None else duration(worker.up_s),
    "activity": lambda worker: worker.activity.value,
}


def _workers_table(workers: list[WorkerStatus]) -> Table:
    table = Table(*_COLUMNS, box=box.SIMPLE_HEAD)
    for worker in workers:
        table.add_row(*(Text(cell(worker)) for cell in _COLUMNS.values()))
    return table


def _epoch(worker: WorkerStatus) -> str:
    if worker.epoch is None:
        return _UNKNOWN
    return str(worker.epoch) if worker.epochs is None else f"{worker.epoch}/{worker.epochs}"


def _speed(images_per_s: float | None) -> str:
    return _UNKNOWN if images_per_s is None else f"{images_per_s:,.0f}"


def _ago(seconds: float | None) -> str:
    return _UNKNOWN if seconds is None else f"{duration(seconds)} ago"


def _lease(left_s: float | None) -> str:
    if left_s is None:
        return _UNKNOWN
    return duration(left_s) if left_s > 0 else "expired"


def _warnings(worker: WorkerStatus) -> Iterator[str]:
    if worker.activity is Activity.STOPPED:
        yield f"{worker.name} claims no more jobs: {worker.stopped_reason}"
    if worker.activity is Activity.SILENT and worker.seen_ago_s is not None:
        yield f"{worker.name} has not been seen for {duration(worker.seen_ago_s)}"
    if worker.faults:
        yield f"{worker.name}: {counted(worker.faults, 'node fault')}, the last: {worker.fault}"
