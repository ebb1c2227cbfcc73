"""Jobs of a run with what became of their attempts, as values that are printed as JSON as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blox_store.passwords import without_passwords
from blox_store.store import CountedAttempt, Job, JobState, Run, Store
from blox_worker.wording import without_secrets


@dataclass(frozen=True, kw_only=True)
class ListedJob:
    """A job; `error` is the last whole traceback, `history` None unless it was asked for."""

    arch_index: int
    state: str
    priority: int
    attempts: int
    epoch: int
    epochs: int
    worker: str | None
    seen_ago_s: float | None
    lease_left_s: float | None
    due_in_s: float | None
    avoid: str | None
    error: str | None
    history: list[CountedAttempt] | None


def listed_jobs(
    store: Store, run: Run, states: Sequence[JobState], *, with_history: bool
) -> list[ListedJob]:
    """Return the jobs of a run in any of these states, of all without one, by arch index."""
    jobs = store.jobs.matching(run.id, *states)
    return [_listed(store, run, job, with_history=with_history) for job in jobs]


def _listed(store: Store, run: Run, job: Job, *, with_history: bool) -> ListedJob:
    return ListedJob(
        arch_index=job.arch_index,
        state=job.state.value,
        priority=job.priority,
        attempts=job.attempts,
        epoch=job.epoch,
        epochs=run.epochs,
        worker=job.worker,
        seen_ago_s=job.seen_ago_s,
        lease_left_s=job.lease_left_s,
        due_in_s=job.due_in_s,
        avoid=job.avoid,
        error=without_secrets(job.error),
        history=_history(store, job) if with_history else None,
    )


def _history(store: Store, job: Job) -> list[CountedAttempt]:
    if not job.attempts:
        return []
    made = store.jobs.attempts(job.run_id, job.arch_index)
    return [replace(attempt, error=without_passwords(attempt.error)) for attempt in made]
