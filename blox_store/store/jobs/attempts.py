"""Attempts that count: where they were made, and what they mean for their job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, case, delete, insert, select, update

from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.database.stored_text import stored_name, stored_text
from blox_store.store.database.upsert import chunks
from blox_store.store.jobs.rows import is_job
from blox_store.store.values import JobState
from blox_store.store.worker_name import host_of, place_to_avoid

_JOBS = schema.jobs.c
_ATTEMPTS = schema.attempts.c
_KEYS_PER_STATEMENT: Final = 500

JobKey: TypeAlias = tuple[int, int]  # run id, arch index


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of a job after an attempt."""

    state: JobState
    avoid: str | None


def verdict(
    attempts: int, max_attempts: int, *, tried: Sequence[str], living: Collection[str]
) -> Verdict:
    """Judge a job by its attempts: it has failed once no other place could show otherwise.

    That is after `max_attempts` on two hosts, on two workers if no other host has a living one, on
    one if no other worker lives. `tried` are the workers of the attempts, the last one last;
    `living` are those that serve the run.
    """
    avoid = place_to_avoid(tried[-1], living) if tried else None
    if attempts < max_attempts:
        return Verdict(state=JobState.PENDING, avoid=avoid)
    two_hosts = len({host_of(worker) for worker in tried}) > 1
    two_workers = len(set(tried)) > 1
    if avoid is None or two_hosts or (two_workers and avoid == tried[-1]):
        return Verdict(state=JobState.FAILED, avoid=None)
    return Verdict(state=JobState.PENDING, avoid=avoid)


def count_attempts(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Add attempts by run_id, arch_index, worker, kind and error."""
    values = [
        row | {"kind": stored_name(row["kind"]), "error": stored_text(row["error"])} for row in rows
    ]
    if values:
        connection.execute(insert(schema.attempts).values(ended_s=now_s()), values)


def tried_by(connection: Connection, keys: Iterable[JobKey]) -> dict[JobKey, list[str]]:
    """Return the workers of the attempts at each of these jobs, the last one last."""
    found: dict[JobKey, list[str]] = defaultdict(list)
    by_run: dict[int, list[int]] = defaultdict(list)
    for run_id, arch_index in keys:
        by_run[run_id].append(arch_index)
    for run_id, indices in by_run.items():
        for chunk in chunks(indices, _KEYS_PER_STATEMENT):
            rows = select(_ATTEMPTS.arch_index, _ATTEMPTS.worker).where(
                _ATTEMPTS.run_id == run_id, _ATTEMPTS.arch_index.in_(chunk)
            )
            for arch_index, worker in connection.execute(rows.order_by(_ATTEMPTS.id)):
                found[run_id, arch_index].append(worker)
    return found


def forgive(connection: Connection, worker: str, key: JobKey) -> int:
    """Take back a worker's attempts at a job, and its failure if there were any; return how many.

    The job's row comes first, as wherever both are changed, so that no two can deadlock.
    """
    connection.execute(select(_JOBS.state).where(is_job(*key)).with_for_update())
    count = connection.execute(
        delete(schema.attempts).where(_at(*key), _ATTEMPTS.worker == worker)
    ).rowcount
    if count:
        failed = _JOBS.state == JobState.FAILED.value
        connection.execute(
            update(schema.jobs)
            .where(is_job(*key))
            .values(
                attempts=case((_JOBS.attempts > count, _JOBS.attempts - count), else_=0),
                state=case((failed, JobState.PENDING.value), else_=_JOBS.state),
                not_before_s=None,
                updated_s=now_s(),
            )
        )
    return count


def _at(run_id: int, arch_index: int) -> ColumnElement[bool]:
    return and_(_ATTEMPTS.run_id == run_id, _ATTEMPTS.arch_index == arch_index)
