"""The jobs of a store: each method is one transaction.

A worker owns a job only while it holds the job's lease token, and every change that it makes is
conditional on that token; leases expire by the database's clock, and only `reap` ends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, select, update

from blox_core.latency import LATENCY
from blox_store.store import schema
from blox_store.store.database.clock import database_time, now_s
from blox_store.store.database.database import StorePart
from blox_store.store.database.stored_text import stored_text
from blox_store.store.database.upsert import chunks
from blox_store.store.jobs import attempts, claims, reaping
from blox_store.store.jobs.attempts import count_attempts, tried_by, verdict
from blox_store.store.jobs.claims import Wish
from blox_store.store.jobs.leases import NO_LEASE, change, lease_lost, renew
from blox_store.store.jobs.rows import CLAIMABLE, is_due, is_job, job_columns, job_of
from blox_store.store.values import (
    CountedAttempt,
    DueJob,
    Job,
    JobState,
    Lease,
    NoClaim,
    ReapedJob,
    Run,
)
from blox_store.store.workers import living_workers

_JOBS = schema.jobs.c
_RUNS = schema.runs.c
_ATTEMPTS = schema.attempts.c
_INDICES_PER_STATEMENT: Final = 1000


class Jobs(StorePart):
    """The jobs of a store."""

    def claim(
        self,
        run: Run,
        arch_index: int | None = None,
        *,
        worker: str,
        trainer_revision: int,
        lease_s: float,
        token: str | None = None,
    ) -> Lease | NoClaim:
        """Take the lease of a job for `lease_s` seconds, or say why not.

        `trainer_revision` is the one that is installed; the run must be as the caller knows it.
        Without an arch index it is the due job of the highest priority, then the lowest index. A
        job whose lease has expired is not taken: that is for `reap`; nor is one that avoids this
        worker or its host. A named job that cannot be run now goes back to `pending`, so that its
        message may be forgotten. Whoever brings a token of his own, 32 hex digits, may claim again
        after a connection that dropped during COMMIT, and gets the lease that he had taken.
        """
        wish = Wish(run, arch_index, worker, trainer_revision)
        with self._database.write() as connection:
            return claims.claim(connection, wish, token or uuid4().hex, lease_s)

    def refusal(
        self, run: Run, arch_index: int | None = None, *, worker: str, trainer_revision: int
    ) -> NoClaim | None:
        """Say why a claim would get nothing now, or None if it would get a job, which is not taken.

        As by that claim, a named job that cannot be run now goes back to `pending`.
        """
        wish = Wish(run, arch_index, worker, trainer_revision)
        with self._database.read() as connection:
            if claims.would_get(connection, wish):
                return None
        with self._database.write() as connection:
            return claims.refused(connection, wish)

    def heartbeat(self, lease: Lease, epoch: int) -> None:
        """Renew a lease for its whole duration, report the finished epochs, show that one lives.

        Raises LeaseLost if the job is no longer this lease's.
        """
        with self._database.write() as connection:
            renewed = renew(connection, lease, epoch)
        if not renewed:
            raise lease_lost(lease)

    def start(self, lease: Lease, epoch: int) -> None:
        """Report the epoch from which an attempt goes on; what it finishes is counted from there.

        Raises LeaseLost if the job is no longer this lease's.
        """
        until_s = now_s() + lease.duration_s
        with self._database.write() as connection:
            started = change(lease, lease_until_s=until_s, epoch=epoch, claimed_epoch=epoch)
            _require(connection.scalar(started), lease)

    def release(self, lease: Lease, epoch: int, *, wait_s: float = 0.0) -> None:
        """Give a lease back without having ended the job; the attempt does not count.

        The job is due again after `wait_s` seconds. Raises LeaseLost if it is no longer this
        lease's.
        """
        given_back = {"state": JobState.PENDING.value, "epoch": epoch, **NO_LEASE}
        if wait_s:
            given_back["not_before_s"] = now_s() + wait_s
        with self._database.write() as connection:
            released = change(lease, **given_back)
            _require(connection.scalar(released), lease)

    def fail(
        self, lease: Lease, error: str, *, kind: str, max_attempts: int, backoff_s: float
    ) -> JobState:
        """Count an attempt that failed by the job's own fault; return the job's new state.

        The job is `failed`, with `error` kept, after `max_attempts` of which two were on different
        hosts, or workers, if there are any; until then it is due again after `backoff_s` seconds,
        elsewhere if it can be. `kind` is under what failures are counted, such as the name of the
        error's type. Raises LeaseLost if the job is no longer this lease's.
        """
        key = (lease.run_id, lease.arch_index)
        ended = change(
            lease,
            state=JobState.PENDING.value,
            attempts=_JOBS.attempts + 1,
            not_before_s=now_s() + backoff_s,
            error=stored_text(error),
            **NO_LEASE,
        )
        attempt = {"worker": lease.worker, "kind": kind, "error": error}
        with self._database.write() as connection:
            count = _require(connection.scalar(ended), lease)
            named = {"run_id": lease.run_id, "arch_index": lease.arch_index}
            count_attempts(connection, [named | attempt])
            judged = verdict(
                count,
                max_attempts,
                tried=tried_by(connection, [key])[key],
                living=living_workers(connection, lease.run_id),
            )
            outcome = {"state": judged.state.value, "avoid": judged.avoid}
            connection.execute(update(schema.jobs).where(is_job(*key)).values(outcome))
            return judged.state

    def reap(self, *, max_attempts: int) -> list[ReapedJob]:
        """End all expired leases and return the jobs that had them, and those that have failed.

        An expired lease counts as an attempt unless an epoch was finished under it, further than
        under any expired one before. A job that waits for another worker waits no more if none
        lives: it has failed after `max_attempts`.
        """
        with self._database.read() as connection:
            if not reaping.may_reap(connection):
                return []
        with self._database.write() as connection:
            return reaping.reap(connection, max_attempts)

    def forgive(self, worker: str, jobs: Sequence[tuple[int, int]]) -> int:
        """Take back a worker's attempts at jobs, (run id, arch index); return how many there were.

        It is for a worker whose node turned out to be at fault. Jobs that have failed are pending
        again, and none of them has to wait.
        """
        with self._database.write() as connection:
            return sum(attempts.forgive(connection, worker, key) for key in sorted(set(jobs)))

    def retry(
        self, run_id: int, indices: Sequence[int] | None = None, *, priority: int | None = None
    ) -> list[int]:
        """Let failed jobs, those of the indices or all, start over; return their arch indices."""
        rows = select(_JOBS.arch_index).filter_by(run_id=run_id, state=JobState.FAILED.value)
        with self._database.write() as connection:
            failed = connection.scalars(rows.order_by(_JOBS.arch_index).with_for_update()).all()
            chosen = list(failed) if indices is None else sorted(set(failed) & set(indices))
            for chunk in chunks(chosen, _INDICES_PER_STATEMENT):
                _start_over(connection, run_id, chunk, priority)
            return chosen

    def due(self, run_id: int) -> list[DueJob]:
        """Return the pending jobs that need not wait, in the order of claims; none if paused."""
        going_on = select(_RUNS.id).where(_RUNS.id == run_id, _RUNS.paused.is_(False)).exists()
        return self._listed(run_id, JobState.PENDING, is_due(), going_on)

    def queued(self, run_id: int) -> list[DueJob]:
        """Return the jobs whose message is in the queue, in the order of claims."""
        return self._listed(run_id, JobState.QUEUED)

    def _listed(
        self, run_id: int, state: JobState, *conditions: ColumnElement[bool]
    ) -> list[DueJob]:
        jobs = select(_JOBS.arch_index, _JOBS.priority).filter_by(run_id=run_id, state=state.value)
        ordered = jobs.where(*conditions).order_by(_JOBS.priority.desc(), _JOBS.arch_index)
        with self._database.read() as connection:
            return [DueJob(**row) for row in connection.execute(ordered).mappings()]

    def queued_beside(self, run: Run) -> int:
        """Return the number of jobs whose message is in a run's queue, those of others included.

        All runs that train share one; those that measure share one for each device.
        """
        beside = select(_RUNS.id).where(
            and_(_RUNS.trainer == LATENCY, _RUNS.dataset == run.dataset)
            if run.measures
            else _RUNS.trainer != LATENCY
        )
        queued = select(func.count()).where(
            _JOBS.state == JobState.QUEUED.value, _JOBS.run_id.in_(beside)
        )
        with self._database.read() as connection:
            return connection.execute(queued).scalar_one()

    def mark_queued(self, run_id: int, indices: Sequence[int]) -> None:
        """Mark jobs whose messages were published as queued, if they are still pending.

        A job that another transaction is changing is passed over: a claim has it, or its message is
        one too many. So is one that is not due any more: its message was used up in the meantime.
        """
        for chunk in chunks(sorted(set(indices)), _INDICES_PER_STATEMENT):
            with self._database.write() as connection:
                pending = connection.scalars(
                    select(_JOBS.arch_index)
                    .where(_JOBS.run_id == run_id, _JOBS.arch_index.in_(chunk))
                    .where(_JOBS.state == JobState.PENDING.value, is_due())
                    .with_for_update(skip_locked=True)
                ).all()
                # Two statements: PostgreSQL would run a locking subquery anew for each row.
                connection.execute(
                    update(schema.jobs)
                    .where(_JOBS.run_id == run_id, _JOBS.arch_index.in_(pending))
                    .values(state=JobState.QUEUED.value, updated_s=now_s())
                )

    def attempts(self, run_id: int, arch_index: int) -> list[CountedAttempt]:
        """Return the attempts that count against a job, the first one first."""
        ago = (now_s() - _ATTEMPTS.ended_s).label("ended_ago_s")
        made = select(_ATTEMPTS.worker, _ATTEMPTS.kind, _ATTEMPTS.error, ago).filter_by(
            run_id=run_id, arch_index=arch_index
        )
        with self._database.read() as connection:
            rows = connection.execute(made.order_by(_ATTEMPTS.id)).mappings()
            return [CountedAttempt(**row) for row in rows]

    def failures(self, run_id: int) -> dict[str, int]:
        """Return the number of attempts that count against the jobs of a run, by kind."""
        made = select(_ATTEMPTS.kind, func.count().label("made")).filter_by(run_id=run_id)
        with self._database.read() as connection:
            rows = connection.execute(made.group_by(_ATTEMPTS.kind))
            return {row.kind: row.made for row in rows}

    def failed_within(self, run_id: int, window_s: float) -> int:
        """Return how many attempts that count were made in the last `window_s` seconds."""
        with self._database.read() as connection:
            since_s = database_time(connection) - window_s
            made = select(func.count()).where(
                _ATTEMPTS.run_id == run_id, _ATTEMPTS.ended_s >= since_s
            )
            return connection.execute(made).scalar_one()

    def has_ended(self, run_id: int, arch_index: int) -> bool:
        """Return whether a job has ended; one that does not exist has not."""
        with self._database.read() as connection:
            state = connection.scalar(
                select(_JOBS.state).filter_by(run_id=run_id, arch_index=arch_index)
            )
            return state is not None and JobState(state).ended

    def counts(self, run_id: int) -> dict[JobState, int]:
        """Return the number of jobs in each state, those with none included."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(_JOBS.state, func.count()).filter_by(run_id=run_id).group_by(_JOBS.state)
            )
            return dict.fromkeys(JobState, 0) | {JobState(state): count for state, count in rows}

    def matching(self, run_id: int, *states: JobState, limit: int | None = None) -> list[Job]:
        """Return the jobs in any of these states, of all without one, by arch index.

        With a `limit` only the first ones.
        """
        chosen = [state.value for state in states or JobState]
        with self._database.read() as connection:
            rows = connection.execute(
                select(*job_columns())
                .where(_JOBS.run_id == run_id, _JOBS.state.in_(chosen))
                .order_by(_JOBS.arch_index)
                .limit(limit)
            ).mappings()
            return [job_of(row) for row in rows]

    def next_change_s(self, run_id: int, *, worker: str | None = None) -> float | None:
        """Return the seconds until a job comes due or a lease expires, None if neither will.

        What avoids `worker` is expected to be taken by others, or to fail, in a few seconds.
        """
        with self._database.read() as connection:
            at_s: ColumnElement[float] = func.coalesce(
                _JOBS.lease_until_s, _JOBS.not_before_s, now_s()
            )
            if worker is not None:
                elsewhere = and_(_JOBS.lease_token.is_(None), is_due(), claims.avoids(worker))
                at_s = case((elsewhere, now_s() + claims.LEFT_TO_OTHERS_S), else_=at_s)
            next_s = connection.scalar(
                select(func.min(at_s))
                .where(_JOBS.run_id == run_id)
                .where(_JOBS.state.in_([*CLAIMABLE, JobState.RUNNING.value]))
            )
            return None if next_s is None else max(0.0, next_s - database_time(connection))


def _start_over(
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


def _require(attempts: int | None, lease: Lease) -> int:
    if attempts is None:
        raise lease_lost(lease)
    return attempts
