"""Locks on files: the operating system's, which go with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

_TRIES: Final = 10  # a file system whose files change their numbers must not hold anybody up


def try_lock(path: Path, open_file: Callable[[Path], int], *, shared: bool = False) -> int | None:
    """Return the descriptor of a file that is locked now, None if others have it locked.

    Closing it gives the lock back. `open_file` is called again if somebody has deleted the file
    before it was locked: the next comer would lock a new one. Raises OSError.
    """
    for _ in range(_TRIES):
        descriptor = open_file(path)
        with ExitStack() as stack:
            stack.callback(os.close, descriptor)
            if not _locks(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
                return None
            if _is_at(descriptor, path):
                stack.pop_all()
                return descriptor
    return None


def _locks(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one of this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
