"""What is left to type after jobs were added to a run, or are to be tried again."""

from __future__ import annotations

from blox_store.store import Run, Store


def next_step(store: Store, run: Run) -> str:
    """Return how a run is trained or measured, or that a scheduler looks after it already."""
    holder = store.schedulers.holder(run.id)
    if holder is not None:
        return f"scheduler {holder} looks after it"
    if run.measures:
        return (
            f"no scheduler is active; measure it by 'blox measure --device-name {run.dataset}', or "
            f"on a cluster by 'blox scheduler --measure {run.dataset}' and 'blox worker "
            f"--measure {run.dataset}'"
        )
    return (
        f"no scheduler is active; train it by 'blox train --local --run {run.id}', or on a "
        f"cluster by 'blox scheduler --run {run.id}' and 'blox worker'"
    )
