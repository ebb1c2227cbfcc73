"""What happens to a worker on which job after job fails: it stops claiming, and its jobs are cleared."""

from __future__ import annotations

import logging

from blox_store.store import ALIVE_S, Store, WorkerState
from blox_worker.errors import WorkerSuspected
from blox_worker.streak import FailureStreak

logger = logging.getLogger(__name__)


def stop_claiming(store: Store, worker: str, streak: FailureStreak) -> WorkerSuspected:
    """Record that a worker stops claiming, and return the error that says so.

    If another worker is alive to try them, the jobs of the streak are cleared of the attempts
    that this one charged them with. If it is alone, nobody can tell whose fault it was.
    """
    store.workers.stop(worker, streak.reason)
    if any(other.name != worker and _is_alive(other) for other in store.workers.all()):
        cleared = store.jobs.forgive(worker, streak.jobs)
        logger.warning("%s attempts on worker %s are not counted", cleared, worker)
    return WorkerSuspected(
        f"worker {worker} stops claiming: {streak.reason}; look at 'blox status' and "
        "'blox jobs --state failed', then start it again"
    )


def _is_alive(worker: WorkerState) -> bool:
    return worker.stopped_reason is None and worker.seen_ago_s < ALIVE_S
