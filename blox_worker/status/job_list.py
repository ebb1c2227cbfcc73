"""Jobs of a run with what became of their attempts, as values that are printed as JSON as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from blox_store.passwords import without_passwords
from blox_store.store import CountedAttempt, Job, JobState, Run, Store
from blox_worker.wording import without_secrets


@dataclass(frozen=True, kw_only=True)
class ListedJob(Job):
    """A job; `error` is the last whole traceback, `history` None unless it was asked for."""

    epochs: int
    history: list[CountedAttempt] | None

    def to_dict(self) -> dict[str, Any]:
        """Return the job as values that JSON holds, but for its run, which all of a list share."""
        values = asdict(self)
        del values["run_id"]
        return values


def listed_jobs(
    store: Store, run: Run, states: Sequence[JobState], *, with_history: bool
) -> list[ListedJob]:
    """Return the jobs of a run in any of these states, of all without one, by arch index."""
    jobs = store.jobs.matching(run.id, *states)
    return [
        ListedJob(
            **{**vars(job), "error": without_secrets(job.error)},
            epochs=run.epochs,
            history=_history(store, job) if with_history else None,
        )
        for job in jobs
    ]


def _history(store: Store, job: Job) -> list[CountedAttempt]:
    if not job.attempts:
        return []
    made = store.jobs.attempts(job.run_id, job.arch_index)
    return [replace(attempt, error=without_passwords(attempt.error)) for attempt in made]
