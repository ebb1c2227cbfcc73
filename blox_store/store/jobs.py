"""Jobs and their leases: claim, heartbeat, give back, fail, reap.

A worker owns a job only while it holds the job's lease token, and every change that it makes is
conditional on that token; leases expire by the database's clock, and only `reap` ends them.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    ScalarSelect,
    Update,
    and_,
    case,
    func,
    or_,
    select,
    update,
)

from blox_store.errors import LeaseLost
from blox_store.store import schema
from blox_store.store.clock import database_time, now_s
from blox_store.store.database import Database
from blox_store.store.values import Job, JobState, Lease, NoClaim

_JOBS = schema.jobs.c
_RUNS = schema.runs.c
_NO_LEASE: Final[dict[str, Any]] = {"lease_token": None, "lease_until_s": None}
_CLAIMABLE: Final = (JobState.PENDING.value, JobState.QUEUED.value)


class Jobs:
    """The jobs of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self,
        run_id: int,
        arch_index: int | None = None,
        *,
        worker: str,
        trainer: str,
        trainer_revision: int,
        lease_s: float,
    ) -> Lease | NoClaim:
        """Take the lease of a job for `lease_s` seconds, or say why not.

        Without an arch index it is the due job of the highest priority, then the lowest index. A
        job whose lease has expired is not taken: that is for `reap`. A named job that cannot be
        run now goes back to `pending`, so that its message may be forgotten.
        """
        token = uuid4().hex
        wanted = _next_due(run_id) if arch_index is None else arch_index
        with self._database.write() as connection:
            claimed = connection.execute(
                _take(run_id, token, worker, lease_s)
                .where(_JOBS.arch_index == wanted, _may_run(run_id, trainer, trainer_revision))
                .returning(_JOBS.arch_index, _JOBS.attempts)
            ).first()
            if claimed is None:
                return _refused(connection, run_id, arch_index, (trainer, trainer_revision))
            return Lease(
                run_id=run_id,
                arch_index=claimed.arch_index,
                token=token,
                worker=worker,
                duration_s=lease_s,
                attempts=claimed.attempts,
            )

    def heartbeat(self, lease: Lease, epoch: int) -> None:
        """Renew a lease for its whole duration and report the finished epochs.

        Raises LeaseLost if the job is no longer this lease's.
        """
        self._change(lease, lease_until_s=now_s() + lease.duration_s, epoch=epoch)

    def start(self, lease: Lease, epoch: int) -> None:
        """Report the epoch from which an attempt goes on; what it finishes is counted from there.

        Raises LeaseLost if the job is no longer this lease's.
        """
        self._change(
            lease,
            lease_until_s=now_s() + lease.duration_s,
            epoch=epoch,
            claimed_epoch=epoch,
        )

    def release(self, lease: Lease, epoch: int) -> None:
        """Give a lease back without having ended the job; the attempt does not count.

        Raises LeaseLost if the job is no longer this lease's.
        """
        self._change(lease, state=JobState.PENDING.value, epoch=epoch, **_NO_LEASE)

    def fail(self, lease: Lease, error: str, *, max_attempts: int, backoff_s: float) -> JobState:
        """Count an attempt that failed by the job's own fault; return the job's new state.

        The job is due again after `backoff_s` seconds, or `failed` with `error` kept after
        `max_attempts`. Raises LeaseLost if the job is no longer this lease's.
        """
        attempts = _JOBS.attempts + 1
        return self._change(
            lease,
            state=_failed_or_pending(attempts, max_attempts),
            attempts=attempts,
            not_before_s=now_s() + backoff_s,
            error=error,
            **_NO_LEASE,
        )

    def reap(self, *, max_attempts: int) -> list[Job]:
        """End all expired leases and return the jobs that had them.

        An expired lease counts as an attempt only if no epoch was finished under it.
        """
        attempts = _JOBS.attempts + case((_JOBS.epoch > _JOBS.claimed_epoch, 0), else_=1)
        lost = "the lease of worker " + _JOBS.worker + " expired before an epoch was finished"
        with self._database.write() as connection:
            rows = connection.execute(
                update(schema.jobs)
                .where(_JOBS.state == JobState.RUNNING.value, _JOBS.lease_until_s < now_s())
                .values(
                    state=_failed_or_pending(attempts, max_attempts),
                    attempts=attempts,
                    error=case((_JOBS.epoch > _JOBS.claimed_epoch, _JOBS.error), else_=lost),
                    updated_s=now_s(),
                    **_NO_LEASE,
                )
                .returning(*_job_columns())
            ).mappings()
            return [_job(row) for row in rows]

    def counts(self, run_id: int) -> dict[JobState, int]:
        """Return the number of jobs in each state, those with none included."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(_JOBS.state, func.count()).filter_by(run_id=run_id).group_by(_JOBS.state)
            )
            return dict.fromkeys(JobState, 0) | {JobState(state): count for state, count in rows}

    def matching(self, run_id: int, *states: JobState) -> list[Job]:
        """Return the jobs in any of these states, of all without one, by arch index."""
        chosen = [state.value for state in states or JobState]
        with self._database.read() as connection:
            rows = connection.execute(
                select(*_job_columns())
                .where(_JOBS.run_id == run_id, _JOBS.state.in_(chosen))
                .order_by(_JOBS.arch_index)
            ).mappings()
            return [_job(row) for row in rows]

    def indices(self, connection: Connection, run_id: int) -> dict[JobState, list[int]]:
        """Return the arch indices of the jobs in each state, within the caller's transaction."""
        found: dict[JobState, list[int]] = {state: [] for state in JobState}
        rows = select(_JOBS.state, _JOBS.arch_index).filter_by(run_id=run_id)
        for state, arch_index in connection.execute(rows.order_by(_JOBS.arch_index)):
            found[JobState(state)].append(arch_index)
        return found

    def next_change_s(self, run_id: int) -> float | None:
        """Return the seconds until a job comes due or a lease expires, None if neither will."""
        with self._database.read() as connection:
            next_s = connection.scalar(
                select(func.min(func.coalesce(_JOBS.lease_until_s, _JOBS.not_before_s, now_s())))
                .where(_JOBS.run_id == run_id)
                .where(_JOBS.state.in_([*_CLAIMABLE, JobState.RUNNING.value]))
            )
            return None if next_s is None else max(0.0, next_s - database_time(connection))

    def _change(self, lease: Lease, **values: Any) -> JobState:
        with self._database.write() as connection:
            state = connection.scalar(
                update(schema.jobs)
                .where(held_by(lease))
                .values(updated_s=now_s(), **values)
                .returning(_JOBS.state)
            )
        if state is None:
            raise lease_lost(lease)
        return JobState(state)


def _take(run_id: int, token: str, worker: str, lease_s: float) -> Update:
    """Return the statement that leases the due jobs among those that it is narrowed down to."""
    return (
        update(schema.jobs)
        .where(_JOBS.run_id == run_id, _due())
        .values(
            state=JobState.RUNNING.value,
            worker=worker,
            lease_token=token,
            lease_until_s=now_s() + lease_s,
            claimed_epoch=_JOBS.epoch,
            updated_s=now_s(),
        )
    )


def _may_run(run_id: int, trainer: str, trainer_revision: int) -> ColumnElement[bool]:
    run = select(_RUNS.id).where(
        _RUNS.id == run_id,
        _RUNS.paused.is_(False),
        _RUNS.trainer == trainer,
        _RUNS.trainer_revision == trainer_revision,
    )
    return run.exists()


def held_by(lease: Lease) -> ColumnElement[bool]:
    """Return the condition that a row of jobs is leased under this token."""
    return and_(
        _JOBS.run_id == lease.run_id,
        _JOBS.arch_index == lease.arch_index,
        _JOBS.lease_token == lease.token,
    )


def finish(lease: Lease, *, state: JobState, epoch: int) -> Update:
    """Return the statement that ends a job under its lease, or under none if nobody holds it.

    The second is for a result that was finished after its lease had been reaped.
    """
    unheld = and_(
        _JOBS.run_id == lease.run_id,
        _JOBS.arch_index == lease.arch_index,
        _JOBS.state.in_(_CLAIMABLE),
    )
    return (
        update(schema.jobs)
        .where(or_(held_by(lease), unheld))
        .values(
            state=state.value,
            epoch=epoch,
            worker=lease.worker,
            error=None,
            updated_s=now_s(),
            **_NO_LEASE,
        )
    )


def lease_lost(lease: Lease) -> LeaseLost:
    """Return the error for a job that is no longer this lease's."""
    return LeaseLost(
        f"job {lease.arch_index} of run {lease.run_id} is no longer leased to {lease.worker}: "
        "the lease expired, and the job is another worker's or has ended"
    )


def _due() -> ColumnElement[bool]:
    return and_(
        _JOBS.state.in_(_CLAIMABLE),
        or_(_JOBS.not_before_s.is_(None), _JOBS.not_before_s <= now_s()),
    )


def _next_due(run_id: int) -> ScalarSelect[int]:
    return (
        select(_JOBS.arch_index)
        .where(_JOBS.run_id == run_id, _due())
        .order_by(_JOBS.priority.desc(), _JOBS.arch_index)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )


def _failed_or_pending(attempts: ColumnElement[int], max_attempts: int) -> ColumnElement[str]:
    failed, pending = JobState.FAILED.value, JobState.PENDING.value
    return case((attempts >= max_attempts, failed), else_=pending)


def _refused(
    connection: Connection, run_id: int, arch_index: int | None, trainer: tuple[str, int]
) -> NoClaim:
    run = connection.execute(select(schema.runs).filter_by(id=run_id)).first()
    if run is None:
        return NoClaim.UNKNOWN
    if (run.trainer, run.trainer_revision) != trainer:
        return NoClaim.OTHER_REVISION
    if arch_index is None:
        return NoClaim.PAUSED if run.paused else NoClaim.NOTHING_DUE
    job = connection.execute(
        select(_JOBS.state).filter_by(run_id=run_id, arch_index=arch_index)
    ).first()
    if job is None:
        return NoClaim.UNKNOWN
    state = JobState(job.state)
    if state.ended or state is JobState.RUNNING:
        return NoClaim.ENDED if state.ended else NoClaim.DUPLICATE
    connection.execute(
        update(schema.jobs)
        .where(_JOBS.run_id == run_id, _JOBS.arch_index == arch_index)
        .where(_JOBS.state == JobState.QUEUED.value)
        .values(state=JobState.PENDING.value, updated_s=now_s())
    )
    return NoClaim.PAUSED if run.paused else NoClaim.NOT_DUE


def _job_columns() -> list[Any]:
    left = (_JOBS.lease_until_s - now_s()).label("lease_left_s")
    return [left if name == "lease_left_s" else _JOBS[name] for name in Job.__dataclass_fields__]


def _job(row: RowMapping) -> Job:
    return Job(**{**row, "state": JobState(row["state"])})
