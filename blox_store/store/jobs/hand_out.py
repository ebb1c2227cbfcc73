"""Jobs that go into the queue, and those that start over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, delete, select, update

from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.jobs.rows import is_due
from blox_store.store.values import JobState

_JOBS = schema.jobs.c
_ATTEMPTS = schema.attempts.c
_INDICES_PER_STATEMENT: Final = 1000


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
