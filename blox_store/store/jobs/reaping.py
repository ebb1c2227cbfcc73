"""The reaper: ends expired leases, and waits for other workers that will not come."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, select, update

from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.jobs.attempts import Verdict, count_attempts, tried_by, verdict
from blox_store.store.jobs.leases import NO_LEASE
from blox_store.store.jobs.rows import IS_PENDING, IS_RUNNING, is_job, job_columns, job_of
from blox_store.store.values import JobState, ReapedJob
from blox_store.store.worker_name import own_places
from blox_store.store.workers import living_workers

_JOBS = schema.jobs.c
EXPIRED: Final = "lease expired"  # the kind of an attempt that ended so

LivingIn = Callable[[int], list[str]]


def may_reap(connection: Connection) -> bool:
    """Return whether there may be something to reap; this locks nothing."""
    found = select(exists().where(_has_expired()) | exists().where(_avoids_somebody()))
    return bool(connection.scalar(found))


def reap(connection: Connection, max_attempts: int) -> list[ReapedJob]:
    """End the expired leases, and the jobs that waited in vain; return both.

    Rows that another transaction is changing are passed over: of two reapers one counts.
    """

    @cache
    def living(run_id: int) -> list[str]:
        return living_workers(connection, run_id)

    return [
        *_end_expired(connection, living, max_attempts),
        *_end_waits(connection, living, max_attempts),
    ]


def _end_expired(connection: Connection, living: LivingIn, max_attempts: int) -> list[ReapedJob]:
    rows = _locked(connection, _has_expired())
    counted = {_key(row): row for row in rows if not _has_come_further(row)}
    count_attempts(connection, map(_attempt, counted.values()))
    tried = tried_by(connection, counted)
    ended = []
    for row in rows:
        changes: dict[str, Any] = {"state": JobState.PENDING.value, **NO_LEASE}
        if _key(row) in counted:
            attempts = row.attempts + 1
            judged = verdict(
                attempts, max_attempts, tried=tried[_key(row)], living=living(row.run_id)
            )
            changes |= {"attempts": attempts, "error": _lost(row), **_outcome(judged)}
        else:
            changes |= {"furthest_epoch": row.epoch}
        ended.append(_changed(connection, row, changes, attempt=row.attempts + 1))
    return ended


def _end_waits(connection: Connection, living: LivingIn, max_attempts: int) -> list[ReapedJob]:
    """End the waits of jobs for workers that do not live any more; return the jobs that failed.

    While no worker lives at all, a job that may fail waits on: the next one to come shows more.
    """
    rows = [row for row in _locked(connection, _avoids_somebody()) if _waits_in_vain(row, living)]
    tried = tried_by(connection, map(_key, rows))
    changed = []
    for row in rows:
        alive = living(row.run_id)
        if alive or row.attempts < max_attempts:
            judged = verdict(row.attempts, max_attempts, tried=tried[_key(row)], living=alive)
            changed.append(_changed(connection, row, _outcome(judged), attempt=row.attempts))
    return [job for job in changed if job.state is JobState.FAILED]


def _locked(connection: Connection, condition: ColumnElement[bool]) -> list[Row[Any]]:
    rows = select(schema.jobs).where(condition).order_by(_JOBS.run_id, _JOBS.arch_index)
    return list(connection.execute(rows.with_for_update(skip_locked=True)))


def _changed(
    connection: Connection, row: Row[Any], changes: dict[str, Any], *, attempt: int
) -> ReapedJob:
    changed = connection.execute(
        update(schema.jobs)
        .where(is_job(*_key(row)))
        .values(updated_s=now_s(), **changes)
        .returning(*job_columns())
    )
    return ReapedJob(**vars(job_of(changed.mappings().one())), attempt=attempt)


def _has_expired() -> ColumnElement[bool]:
    return and_(IS_RUNNING, _JOBS.lease_until_s < now_s())


def _avoids_somebody() -> ColumnElement[bool]:
    return and_(IS_PENDING, _JOBS.avoid.is_not(None))


def _has_come_further(row: Row[Any]) -> bool:
    """Return whether an attempt made progress: a job that kills its worker must not for ever."""
    return bool(row.epoch > max(row.claimed_epoch, row.furthest_epoch or 0))


def _waits_in_vain(row: Row[Any], living: LivingIn) -> bool:
    return all(row.avoid in own_places(worker) for worker in living(row.run_id))


def _key(row: Row[Any]) -> tuple[int, int]:
    return row.run_id, row.arch_index


def _lost(row: Row[Any]) -> str:
    return (
        f"the lease of worker {row.worker} expired after epoch {row.epoch}, no further than before"
    )


def _attempt(row: Row[Any]) -> dict[str, Any]:
    return {
        "run_id": row.run_id,
        "arch_index": row.arch_index,
        "worker": row.worker,
        "kind": EXPIRED,
        "error": _lost(row),
    }


def _outcome(judged: Verdict) -> dict[str, Any]:
    return {"state": judged.state.value, "avoid": judged.avoid}
