"""Leases: every change that a worker makes to a job is conditional on its token."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Update, and_, or_, select, update

from blox_store.errors import LeaseLost
from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.jobs.rows import CLAIMABLE, is_job
from blox_store.store.values import JobState, Lease

_JOBS = schema.jobs.c
_RUNS = schema.runs.c
_WORKERS = schema.workers.c
NO_LEASE: Final[dict[str, Any]] = {"lease_token": None, "lease_until_s": None}


def held_by(lease: Lease) -> ColumnElement[bool]:
    """Return the condition that a row of jobs is leased under this token."""
    return and_(is_job(lease.run_id, lease.arch_index), _JOBS.lease_token == lease.token)


def change(lease: Lease, **values: Any) -> Update:
    """Return the statement that changes a job under its lease; it returns `attempts`."""
    return (
        update(schema.jobs)
        .where(held_by(lease))
        .values(updated_s=now_s(), **values)
        .returning(_JOBS.attempts)
    )


def renew(connection: Connection, lease: Lease, epoch: int) -> bool:
    """Renew a lease and show that its worker lives; return whether the job is still its."""
    renewal = change(lease, lease_until_s=now_s() + lease.duration_s, epoch=epoch)
    sighting = update(schema.workers).where(_WORKERS.name == lease.worker).values(seen_s=now_s())
    if connection.dialect.name == "postgresql":  # both in one round trip
        renewal = renewal.add_cte(sighting.cte("sighting"))
    else:
        connection.execute(sighting)
    return connection.execute(renewal).first() is not None


def finish(
    lease: Lease, *, state: JobState, epoch: int, recipe_fingerprint: str, seed: int
) -> Update:
    """Return the statement that ends a job under its lease, or under none if nobody holds it.

    The second is for a result that was finished after its lease had been reaped; a database that
    was restored meanwhile may have another run under that number, of another recipe or seed.
    """
    run = select(_RUNS.id).where(
        _RUNS.id == lease.run_id,
        _RUNS.recipe_fingerprint == recipe_fingerprint,
        _RUNS.seed == seed,
    )
    job = is_job(lease.run_id, lease.arch_index)
    unheld = and_(job, _JOBS.state.in_(CLAIMABLE), run.exists())
    return (
        update(schema.jobs)
        .where(or_(held_by(lease), unheld))
        .values(
            state=state.value,
            epoch=epoch,
            worker=lease.worker,
            error=None,
            avoid=None,
            updated_s=now_s(),
            **NO_LEASE,
        )
    )


def lease_lost(lease: Lease) -> LeaseLost:
    """Return the error for a job that is no longer this lease's."""
    return LeaseLost(
        f"job {lease.arch_index} of run {lease.run_id} is no longer leased to {lease.worker}: "
        "the lease expired, and the job is another worker's or has ended"
    )
