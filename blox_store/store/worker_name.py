"""The names of workers, `gpu0@host`, and what a job may avoid: one of them, or `@host`."""

from __future__ import annotations

from collections.abc import Iterable


def host_of(worker: str) -> str:
    """Return the host of a worker: what follows the last `@` of its name."""
    return worker.rpartition("@")[2]


def own_places(worker: str) -> tuple[str, str]:
    """Return what a job that is not for this worker may avoid: the worker, its host."""
    return worker, f"@{host_of(worker)}"


def place_to_avoid(worker: str, living: Iterable[str]) -> str | None:
    """Return what the next attempt shall avoid after one of this worker.

    Its host if a worker of another lives, else the worker if another lives, else nothing.
    """
    others = {name for name in living if name != worker}
    if any(host_of(name) != host_of(worker) for name in others):
        return f"@{host_of(worker)}"
    return worker if others else None
