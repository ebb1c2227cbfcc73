"""Folders that take a minute to fill, and that all test processes share."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """Return a folder of the test session, which whoever comes first fills while others wait.

    It is to be copied before it is changed.
    """
    folder = shared_folder(factory, name)
    with locked(folder):
        filled = folder.with_suffix(".filled")
        if not filled.exists():
            fill(folder)
            filled.touch()
    return folder


def shared_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """Return a folder of the test session, the same one in all test processes."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Run the block in one test process at a time."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
