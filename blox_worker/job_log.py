"""The log of jobs: one line for whatever happens to one, with run, arch index, attempt and worker."""

from __future__ import annotations

import logging

from blox_store.store import JobState, Lease, ReapedJob
from blox_worker.wording import name_of

logger = logging.getLogger(__name__)


def log_job(lease: Lease, event: str, detail: str = "", *, level: int = logging.INFO) -> None:
    """Say what happened to a leased job; the attempt is the one that would count next."""
    attempt, worker = lease.attempts + 1, lease.worker
    _log(level, event, detail, lease.run_id, lease.arch_index, attempt=attempt, worker=worker)


def log_refusal(run_id: int, arch_index: int, worker: str, reason: str) -> None:
    """Say why a worker did not get a job."""
    _log(logging.INFO, "not taken", reason, run_id, arch_index, worker=worker)


def log_reaped(job: ReapedJob) -> None:
    """Say of a job whose lease has expired, or that waited in vain, what becomes of it."""
    if job.state is JobState.FAILED:
        event, detail = "given up", job.error or ""
    else:
        event = "lease expired"
        detail = f"after epoch {job.epoch}; it goes on, with {job.attempts} attempts that count"
    by = {"attempt": job.attempt, "worker": job.worker}
    _log(logging.WARNING, event, detail, job.run_id, job.arch_index, **by)


def _log(
    level: int, event: str, detail: str, run_id: int, arch_index: int, **by: int | str | None
) -> None:
    """Log an event of a job; `by` are its attempt and its worker, where there are any."""
    known = {name: value for name, value in by.items() if value is not None}
    which = f"run {run_id} {name_of(arch_index)}"
    if "attempt" in known:
        which += f" attempt {known['attempt']}"
    if "worker" in known:
        which += f" on {known['worker']}"
    text = f"{event}: {' '.join(detail.split())}" if detail else event
    fields = {"event": event, "run": run_id, "index": arch_index, **known}
    logger.log(level, "%s: %s", which, text, extra=fields)
