"""The request to stop: the first signal asks, the second does not wait."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_KILLED_BY_SIGNAL: Final = 128  # shells add the signal's number


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; a second one ends the process at once.

    Leases that are held then simply run out. The signals' former handlers come back at the end.
    """
    requested = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if requested.is_set():
            os._exit(_KILLED_BY_SIGNAL + number)
        requested.set()

    former = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield requested
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
