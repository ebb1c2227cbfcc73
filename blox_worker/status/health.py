"""Whether the scheduler, or the workers, of this host are well, as the store sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from blox_store.store import Store
from blox_worker.device.slots import is_measuring
from blox_worker.errors import Unhealthy
from blox_worker.status.run_status import Activity, activity

_ADVICE: Final = "see 'blox status', and the log of this service"


def check_store(store: Store, host: str) -> str:
    """Return one line about the store: it answers, at this version's schema revision."""
    return f"{store.url} answers"


def check_scheduler(store: Store, host: str) -> str:
    """Return who schedules which run; raise Unhealthy if no scheduler's lease is fresh.

    That of another host is as good: the one here stands by. Names are `host:pid`. Of runs that
    measure it is asked only if there are no others.
    """
    runs = store.runs.all()
    asked = [run for run in runs if not run.measures] or runs
    holders = {run.id: store.schedulers.holder(run.id) for run in asked}
    fresh = {run: holder for run, holder in holders.items() if holder is not None}
    if not fresh:
        raise Unhealthy(f"no run of {store.url} has a scheduler whose lease is fresh; {_ADVICE}")
    here = {run: holder for run, holder in fresh.items() if holder.rpartition(":")[0] == host}
    return ", ".join(f"run {run}: scheduler {holder}" for run, holder in (here or fresh).items())


def check_workers(store: Store, host: str) -> str:
    """Return the workers of this host; raise Unhealthy if it has none, or one that is not well."""
    found = [worker for worker in store.workers.all() if worker.host == host]
    # Those that measure are in a container of their own, whose host may have the same name.
    here = [worker for worker in found if not is_measuring(worker.name)] or found
    if not here:
        raise Unhealthy(f"no worker of host {host} is registered in {store.url}; {_ADVICE}")
    shown = ", ".join(f"{worker.name} {activity(worker)}" for worker in here)
    if any(activity(worker) in _UNWELL for worker in here):
        raise Unhealthy(f"{shown}; {_ADVICE}")
    return shown


_UNWELL: Final = (Activity.SILENT, Activity.STOPPED)
CHECKS: Final[Mapping[str, Callable[[Store, str], str]]] = {
    "store": check_store,
    "scheduler": check_scheduler,
    "worker": check_workers,
}
