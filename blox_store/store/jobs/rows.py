"""Jobs as rows of the database: the conditions that statements share, and rows as values."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, and_, case, literal_column, or_

from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.values import Job, JobState

_JOBS = schema.jobs.c
CLAIMABLE: Final = (JobState.PENDING.value, JobState.QUEUED.value)
# The literals, where parameters would do, are what the partial indexes are recognised by.
IS_RUNNING: Final = _JOBS.state == literal_column("'running'")
IS_PENDING: Final = _JOBS.state == literal_column("'pending'")


def is_job(run_id: int, arch_index: int) -> ColumnElement[bool]:
    """Return the condition that a row of jobs is this one."""
    return and_(_JOBS.run_id == run_id, _JOBS.arch_index == arch_index)


def is_due() -> ColumnElement[bool]:
    """Return the condition that a job need not wait."""
    return or_(_JOBS.not_before_s.is_(None), _JOBS.not_before_s <= now_s())


def job_columns() -> list[Any]:
    """Return what has to be selected for `job_of`."""
    computed = {
        "lease_left_s": _JOBS.lease_until_s - now_s(),
        "seen_ago_s": case((_JOBS.lease_token.is_not(None), now_s() - _JOBS.updated_s)),
        "due_in_s": case((~is_due(), _JOBS.not_before_s - now_s())),
    }
    names = Job.__dataclass_fields__
    return [computed[name].label(name) if name in computed else _JOBS[name] for name in names]


def job_of(row: RowMapping) -> Job:
    """Return the job of a row."""
    return Job(**{**row, "state": JobState(row["state"])})
