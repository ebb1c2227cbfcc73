"""Signals as something to wait for, instead of something that interrupts.

A Python handler runs in the main thread, and only once that gets back to Python code: not while it
is in a long call into torch or a database driver, and not if the signal came just before it began to
wait for a lock or reached another thread. The signal's number in a socket is always there to read.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, Self

# What a person or a service manager sends to end a process.
REQUESTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
WAKE: Final = 0  # no signal has this number
_CHUNK_BYTES: Final = 4096


class Signals:
    """A socket that signals are written to; closed at the end of its `with` block."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._reader.close()
        self._writer.close()

    @contextmanager
    def noted(self, numbers: Collection[signal.Signals]) -> Iterator[None]:
        """Have these signals written, instead of what they did before; in the main thread only."""
        writer = self._writer.fileno()
        former_writer = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        former = {number: signal.signal(number, _do_nothing) for number in numbers}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(former_writer)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._reader.fileno()

    def next(self) -> int:
        """Wait for a signal and return its number."""
        return self._reader.recv(1)[0]

    def take(self) -> bytes:
        """Return the numbers of the signals that have come since, in their order."""
        try:
            return self._reader.recv(_CHUNK_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""

    def wake(self) -> None:
        """Write WAKE, from any thread, to end a wait."""
        with suppress(OSError):  # full: it wakes anyhow; closed: nobody waits
            self._writer.send(bytes([WAKE]))


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Be there: Python writes the number of a signal that has a handler."""
