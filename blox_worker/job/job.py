"""One job, from its claim to its result: the function that every kind of worker runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from blox_core.latency import LATENCY_REVISION
from blox_store.store import ForeignRecipe, Lease, NoClaim, Run, Store
from blox_worker.device.lock import DeviceLock
from blox_worker.job.heartbeat import Heartbeat
from blox_worker.job.measuring import MeasuringAttempt
from blox_worker.job.outcome import JobOutcome, JobReport, Worker
from blox_worker.job.trainers import TRAINERS
from blox_worker.job.training import TrainingAttempt
from blox_worker.job_log import log_job
from blox_worker.on_disk.outbox import Outbox
from blox_worker.patience import patiently

logger = logging.getLogger(__name__)


def run_job(
    store: Store,
    run: Run,
    arch_index: int | None = None,
    *,
    worker: Worker,
    stop: threading.Event,
    on_epoch: JobReport,
    on_outage: Callable[[], None] = lambda: None,
) -> JobOutcome | NoClaim:
    """Claim a job of a run, the next one if none is named, do it, and write its result.

    Results that an outage left on disk are written before. The lease is renewed meanwhile,
    checkpoints are written and resumed from. A stop gives the lease back; a failure of the job
    counts as one of its attempts; a failure of the node (`blame`) gives the lease back and is
    raised. Outages of the store are waited out, each try reported by `on_outage` from any thread;
    StoreUnavailable is raised only if a stop is requested before there is a claim, and DeviceBusy
    if that is while a measurement has the device to itself, or waits for trainings to end.
    """
    revision = installed_revision(run)
    if revision is None:
        return NoClaim.OTHER_REVISION
    claim = _Claim(store=store, run=run, arch_index=arch_index, worker=worker, revision=revision)
    # Who waits to have a device alone keeps trainings from it, so nobody does for nothing.
    refusal = patiently(claim.refusal, stop=stop, on_outage=on_outage) if run.measures else None
    if refusal is not None:
        return refusal
    with DeviceLock(worker.settings.lock_dir, worker.device).held(alone=run.measures, stop=stop):
        lease = patiently(claim.lease, stop=stop, on_outage=on_outage)
        if isinstance(lease, NoClaim):
            return lease
        log_job(lease, "taken", f"goes on after epoch {lease.epoch}" if lease.epoch else "")
        every_s = worker.settings.heartbeat_s
        with Heartbeat(store, lease, every_s=every_s, on_outage=on_outage) as heartbeat:
            kind = MeasuringAttempt if run.measures else TrainingAttempt
            return kind(
                store=store,
                run=run,
                lease=lease,
                worker=worker,
                heartbeat=heartbeat,
                stop=stop,
                on_epoch=on_epoch,
                on_outage=on_outage,
            ).outcome()


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """A claim of a job by a worker; one that is tried again finds what it took before.

    Results that are kept on disk are written first.
    """

    store: Store
    run: Run
    arch_index: int | None
    worker: Worker
    revision: int
    token: str = field(default_factory=lambda: uuid4().hex)

    def refusal(self) -> NoClaim | None:
        """Say why there would be no lease now, or None if there would be one."""
        self._write_kept()
        return self.store.jobs.refusal(
            self.run, self.arch_index, worker=self.worker.name, trainer_revision=self.revision
        )

    def lease(self) -> Lease | NoClaim:
        """Take the lease of the job, or say why not."""
        self._write_kept()
        return self.store.jobs.claim(
            self.run,
            self.arch_index,
            worker=self.worker.name,
            trainer_revision=self.revision,
            lease_s=self.worker.settings.lease_s,
            token=self.token,
        )

    def _write_kept(self) -> None:
        Outbox(self.worker.settings.checkpoint_dir, self.store).flush()


def installed_revision(run: Run) -> int | None:
    """Return the installed revision of what does the jobs of a run, None if nothing here can."""
    if isinstance(run.recipe, ForeignRecipe):
        return None
    if run.measures:
        return LATENCY_REVISION
    trainer = TRAINERS.get(run.trainer)
    return None if trainer is None else trainer.revision
