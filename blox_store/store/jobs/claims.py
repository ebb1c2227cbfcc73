"""Claims: a due job becomes a lease by one conditional UPDATE, or something says why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Update,
    and_,
    case,
    or_,
    select,
    update,
)

from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.jobs.rows import CLAIMABLE, IS_RUNNING, is_due, is_job
from blox_store.store.values import JobState, Lease, NoClaim, Run
from blox_store.store.worker_name import own_places

_JOBS = schema.jobs.c
_RUNS = schema.runs.c
# What a run is by, whatever its number; as a restored database may number others anew.
_IDENTITY: Final = ("dataset", "recipe_fingerprint", "seed", "trainer", "trainer_revision")
# How long a job that avoids the worker that asked for it is left to others.
LEFT_TO_OTHERS_S: Final = 5.0


@dataclass(frozen=True)
class Wish:
    """What a worker asks for: a job of a run, the next due one without an arch index."""

    run: Run
    arch_index: int | None
    worker: str
    trainer_revision: int


def claim(connection: Connection, wish: Wish, token: str, lease_s: float) -> Lease | NoClaim:
    """Take the lease of a job, or say why not.

    The lease that was taken under this token before, if there is one, is found again.
    """
    run, arch_index, worker = wish.run, wish.arch_index, wish.worker
    wanted = _next_due(run.id, worker) if arch_index is None else arch_index
    take = (
        _take(token, worker, lease_s)
        .where(_JOBS.run_id == run.id, _JOBS.arch_index == wanted)
        .where(_claimable_by(worker), _may_run(run, wish.trainer_revision))
    )
    again = _take_again(run.id, arch_index, token, lease_s)
    # A named job is taken first: of a COMMIT that hangs only that statement awaits the end. The
    # next due one must not be a second one.
    first, second = (again, take) if arch_index is None else (take, again)
    claimed = _row(connection, first) or _row(connection, second)
    if claimed is None:
        return refused(connection, wish)
    return Lease(
        run_id=run.id,
        arch_index=claimed.arch_index,
        token=token,
        worker=worker,
        duration_s=lease_s,
        attempts=claimed.attempts,
        epoch=claimed.epoch,
    )


def would_get(connection: Connection, wish: Wish) -> bool:
    """Return whether a claim would get a job now."""
    claimable = select(_JOBS.arch_index).where(
        _JOBS.run_id == wish.run.id,
        _claimable_by(wish.worker),
        _may_run(wish.run, wish.trainer_revision),
    )
    if wish.arch_index is not None:
        claimable = claimable.where(_JOBS.arch_index == wish.arch_index)
    return connection.scalar(claimable.limit(1)) is not None


def refused(connection: Connection, wish: Wish) -> NoClaim:
    """Say why a claim got nothing; a named job that cannot be run now goes back to `pending`."""
    found = connection.execute(select(schema.runs).filter_by(id=wish.run.id)).first()
    if found is None:
        return NoClaim.UNKNOWN
    if any(getattr(found, name) != getattr(wish.run, name) for name in _IDENTITY):
        return NoClaim.OTHER_RUN
    if found.trainer_revision != wish.trainer_revision:
        return NoClaim.OTHER_REVISION
    if wish.arch_index is None:
        return NoClaim.PAUSED if found.paused else NoClaim.NOTHING_DUE
    return _named_refused(connection, found, wish.arch_index, wish.worker)


def avoids(worker: str) -> ColumnElement[bool]:
    """Return the condition that a job is not for this worker; NULL if it avoids nobody."""
    return _JOBS.avoid.in_(own_places(worker))


def _take(token: str, worker: str, lease_s: float) -> Update:
    return update(schema.jobs).values(
        state=JobState.RUNNING.value,
        worker=worker,
        lease_token=token,
        lease_until_s=now_s() + lease_s,
        claimed_epoch=_JOBS.epoch,
        updated_s=now_s(),
    )


def _take_again(run_id: int, arch_index: int | None, token: str, lease_s: float) -> Update:
    held = update(schema.jobs).where(_JOBS.run_id == run_id, IS_RUNNING, _JOBS.lease_token == token)
    if arch_index is not None:
        held = held.where(_JOBS.arch_index == arch_index)
    return held.values(lease_until_s=now_s() + lease_s, updated_s=now_s())


def _row(connection: Connection, claim: Update) -> Row[Any] | None:
    return connection.execute(
        claim.returning(_JOBS.arch_index, _JOBS.attempts, _JOBS.epoch)
    ).first()


def _claimable_by(worker: str) -> ColumnElement[bool]:
    return and_(_JOBS.state.in_(CLAIMABLE), is_due(), or_(_JOBS.avoid.is_(None), ~avoids(worker)))


def _next_due(run_id: int, worker: str) -> ScalarSelect[int]:
    return (
        select(_JOBS.arch_index)
        .where(_JOBS.run_id == run_id, _claimable_by(worker))
        .order_by(_JOBS.priority.desc(), _JOBS.arch_index)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )


def _may_run(run: Run, trainer_revision: int) -> ColumnElement[bool]:
    believed = [_RUNS[name] == getattr(run, name) for name in _IDENTITY]
    installed = _RUNS.trainer_revision == trainer_revision
    return (
        select(_RUNS.id)
        .where(_RUNS.id == run.id, _RUNS.paused.is_(False), installed, *believed)
        .exists()
    )


def _named_refused(
    connection: Connection, run: Row[tuple[object, ...]], arch_index: int, worker: str
) -> NoClaim:
    named = is_job(run.id, arch_index)
    state = connection.scalar(select(_JOBS.state).where(named))
    if state is None:
        return NoClaim.UNKNOWN
    if JobState(state).ended or state == JobState.RUNNING.value:
        return NoClaim.ENDED if JobState(state).ended else NoClaim.DUPLICATE
    left_to_others = case(
        (and_(avoids(worker), is_due()), now_s() + LEFT_TO_OTHERS_S), else_=_JOBS.not_before_s
    )
    connection.execute(
        update(schema.jobs)
        .where(named, _JOBS.state.in_(CLAIMABLE))
        .values(state=JobState.PENDING.value, not_before_s=left_to_others, updated_s=now_s())
    )
    return NoClaim.PAUSED if run.paused else NoClaim.NOT_DUE
