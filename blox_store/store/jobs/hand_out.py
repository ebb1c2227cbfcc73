"""Which jobs are to be given out by a queue, which are in it, and those that start over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, delete, func, select, update

from blox_core.latency import LATENCY
from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.jobs.rows import is_due
from blox_store.store.values import DueJob, JobState, Run

_JOBS = schema.jobs.c
_RUNS = schema.runs.c
_ATTEMPTS = schema.attempts.c
_INDICES_PER_STATEMENT: Final = 1000


def due_jobs(connection: Connection, run_id: int) -> list[DueJob]:
    """Return the pending jobs that need not wait, in the order of claims; none of a paused run."""
    going_on = select(_RUNS.id).where(_RUNS.id == run_id, _RUNS.paused.is_(False)).exists()
    return _listed(connection, _in_state(run_id, JobState.PENDING).where(is_due(), going_on))


def queued_jobs(connection: Connection, run_id: int) -> list[DueJob]:
    """Return the jobs that are in the queue, in the order of claims."""
    return _listed(connection, _in_state(run_id, JobState.QUEUED))


def queued_beside(connection: Connection, run: Run) -> int:
    """Return the number of jobs that are in a run's queue, whatever run they are of.

    All runs that train share one; those that measure share one for each device.
    """
    beside = select(_RUNS.id).where(
        and_(_RUNS.trainer == LATENCY, _RUNS.dataset == run.dataset)
        if run.measures
        else _RUNS.trainer != LATENCY
    )
    queued = select(func.count()).select_from(schema.jobs).filter_by(state=JobState.QUEUED.value)
    count: int = connection.execute(queued.where(_JOBS.run_id.in_(beside))).scalar_one()
    return count


def chunks(indices: Iterable[int]) -> Iterator[list[int]]:
    """Yield arch indices in ascending order, so many at a time that a statement can have them."""
    ascending = sorted(set(indices))
    for start in range(0, len(ascending), _INDICES_PER_STATEMENT):
        yield ascending[start : start + _INDICES_PER_STATEMENT]


def mark_queued(connection: Connection, run_id: int, indices: Sequence[int]) -> None:
    """Mark the pending ones of some jobs as queued.

    A job that another transaction is changing is passed over: a claim has it, or its message is
    one too many. So is one that is not due any more: its message was used up in the meantime.
    """
    pending = connection.scalars(
        select(_JOBS.arch_index)
        .where(_JOBS.run_id == run_id, _JOBS.arch_index.in_(indices))
        .where(_JOBS.state == JobState.PENDING.value, is_due())
        .with_for_update(skip_locked=True)
    ).all()
    # Two statements: PostgreSQL would run a locking subquery anew for each row.
    connection.execute(
        update(schema.jobs)
        .where(_JOBS.run_id == run_id, _JOBS.arch_index.in_(pending))
        .values(state=JobState.QUEUED.value, updated_s=now_s())
    )


def failed_indices(connection: Connection, run_id: int) -> list[int]:
    """Return the arch indices of the failed jobs, which stay as they are meanwhile."""
    failed = select(_JOBS.arch_index).filter_by(run_id=run_id, state=JobState.FAILED.value)
    return list(connection.scalars(failed.order_by(_JOBS.arch_index).with_for_update()))


def start_over(
    connection: Connection, run_id: int, indices: Sequence[int], priority: int | None
) -> None:
    """Make jobs pending as if they had never been attempted."""
    connection.execute(
        delete(schema.attempts).where(_ATTEMPTS.run_id == run_id, _ATTEMPTS.arch_index.in_(indices))
    )
    connection.execute(
        update(schema.jobs)
        .where(_JOBS.run_id == run_id, _JOBS.arch_index.in_(indices))
        .values(
            state=JobState.PENDING.value,
            attempts=0,
            avoid=None,
            not_before_s=None,
            error=None,
            furthest_epoch=None,
            priority=_JOBS.priority if priority is None else priority,
            updated_s=now_s(),
        )
    )


def _in_state(run_id: int, state: JobState) -> Select[Any]:
    return select(_JOBS.arch_index, _JOBS.priority).where(
        _JOBS.run_id == run_id, _JOBS.state == state.value
    )


def _listed(connection: Connection, jobs: Select[Any]) -> list[DueJob]:
    rows = connection.execute(jobs.order_by(_JOBS.priority.desc(), _JOBS.arch_index))
    return [DueJob(arch_index=arch_index, priority=priority) for arch_index, priority in rows]
