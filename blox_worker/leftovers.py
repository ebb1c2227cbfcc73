"""What workers that died have left in the checkpoint folder: results to write, files to delete."""

from __future__ import annotations

from pathlib import Path

from blox_store.store import Store
from blox_worker.checkpoints import drop_checkpoints, job_stem, jobs_with_checkpoints
from blox_worker.outbox import Outbox


def clear_leftovers(folder: Path, store: Store) -> None:
    """Write the results that are kept on disk, and delete the checkpoints of trained jobs.

    A worker killed after it wrote a result, or woken after another did, leaves some that nobody
    else would delete. Those of jobs without a result stay: they can go on, also after a retry.
    Raises StoreError and OSError.
    """
    Outbox(folder, store).flush()
    for run_id, arch_index in store.results.among(jobs_with_checkpoints(folder, store.id)):
        drop_checkpoints(folder, job_stem(store.id, run_id, arch_index))
