"""The log of jobs: one line for whatever happens to one, with run, arch index, attempt and worker."""

from __future__ import annotations

import logging

from blox_store.store import JobState, Lease, ReapedJob
from blox_worker.wording import name_of

logger = logging.getLogger(__name__)


def log_job(lease: Lease, event: str, detail: str = "", *, level: int = logging.INFO) -> None:
    """Say what happened to a leased job; the attempt is the one that would count next."""
    attempt = lease.attempts + 1
    _log(level, lease.run_id, lease.arch_index, lease.worker, event, detail, attempt=attempt)


def log_refusal(run_id: int, arch_index: int, worker: str, reason: str) -> None:
    """Say why a worker did not get a job."""
    _log(logging.INFO, run_id, arch_index, worker, "not taken", reason)


def log_reaped(job: ReapedJob) -> None:
    """Say of a job whose lease has expired, or that waited in vain, what becomes of it."""
    if job.state is JobState.FAILED:
        event, detail = "given up", job.error or ""
    else:
        event = "lease expired"
        detail = f"after epoch {job.epoch}; it goes on, with {job.attempts} attempts that count"
    _log(
        logging.WARNING,
        job.run_id,
        job.arch_index,
        job.worker,
        event,
        detail,
        attempt=job.attempt,
    )


def _log(
    level: int,
    run_id: int,
    arch_index: int,
    worker: str | None,
    event: str,
    detail: str,
    *,
    attempt: int | None = None,
) -> None:
    fields = {"run": run_id, "index": arch_index, "attempt": attempt, "worker": worker}
    known = {name: value for name, value in fields.items() if value is not None}
    which = f"run {run_id} {name_of(arch_index)}"
    if attempt is not None:
        which += f" attempt {attempt}"
    if worker is not None:
        which += f" on {worker}"
    text = f"{event}: {' '.join(detail.split())}" if detail else event
    logger.log(level, "%s: %s", which, text, extra={"event": event, **known})
