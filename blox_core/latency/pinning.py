"""Keeping a process on as many cores as it has threads that compute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from blox_core.errors import CannotMeasure

_THREADS: Final = Path("/proc/self/task")


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Keep all threads of this process on the first `threads` of its cores, then as before.

    Libraries keep threads that they have started, so that moving the caller alone would not do.
    Where the system has no such call (macOS), only their number is kept. Raises CannotMeasure if
    there are fewer cores.
    """
    cores = enough_cores(threads)
    before = _affinities()
    default = set(cores)
    for thread in before:
        _move(thread, set(cores[:threads]))
    try:
        yield
    finally:
        # What was started meanwhile is kept no longer either.
        for thread in _affinities():
            _move(thread, before.get(thread, default))


def enough_cores(threads: int) -> list[int]:
    """Return the cores that this process may use; raise CannotMeasure if there are fewer."""
    cores = usable_cores()
    if threads > len(cores):
        raise CannotMeasure(
            f"latency protocol field threads = {threads}: this process may use {len(cores)} cores, "
            "and no more threads are allowed than that"
        )
    return cores


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _affinities() -> dict[int, set[int]]:
    """Return the cores of each thread; of none where the system does not tell."""
    found: dict[int, set[int]] = {}
    if hasattr(os, "sched_getaffinity") and _THREADS.exists():
        for entry in _THREADS.iterdir():
            with suppress(ProcessLookupError):  # it has ended
                found[int(entry.name)] = os.sched_getaffinity(int(entry.name))
    return found


def _move(thread: int, cores: set[int]) -> None:
    with suppress(ProcessLookupError):
        os.sched_setaffinity(thread, cores)
