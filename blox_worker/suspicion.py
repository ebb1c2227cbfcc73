"""What happens to a worker on which job after job fails: it stops claiming, and its jobs are cleared."""

from __future__ import annotations

import logging

from blox_store.store import Store
from blox_worker.errors import WorkerSuspected
from blox_worker.streak import FailureStreak

logger = logging.getLogger(__name__)


def stop_claiming(store: Store, worker: str, streak: FailureStreak) -> WorkerSuspected:
    """Record that a worker stops claiming, and return the error that says so.

    Jobs of the streak that another living worker takes are cleared of the attempts that this one
    charged them with. If it is alone, nobody can tell whose fault it was.
    """
    store.workers.stop(worker, streak.reason)
    others = {run_id: set(store.workers.living(run_id)) - {worker} for run_id in dict(streak.jobs)}
    jobs = [(run_id, index) for run_id, index in streak.jobs if others[run_id]]
    if jobs:
        cleared = store.jobs.forgive(worker, jobs)
        logger.warning("%s attempts on worker %s are not counted", cleared, worker)
    return WorkerSuspected(
        f"worker {worker} stops claiming: {streak.reason}; look at 'blox status' and "
        "'blox jobs --state failed', then start it again"
    )
