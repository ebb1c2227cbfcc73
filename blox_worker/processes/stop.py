"""The request to stop: the first signal asks, the second does not wait."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from blox_worker.processes.signals import REQUESTS, WAKE, Signals

KILLED_BY_SIGNAL: Final = 128  # shells add the signal's number


@contextmanager
def stop_requests(*, launched: bool = False) -> Iterator[threading.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; a second one ends the process at once.

    So does SIGQUIT, also as the first. Leases that are held then simply run out. The event may be
    set otherwise too, as by the death of a launcher. Under a launcher (`launched`) only SIGQUIT
    ends at once: a service manager asks all processes of a service, and the launcher asks again.
    The signals' former handlers come back at the end: one that comes after it ends the process by
    itself, which has given back all leases by then and has nothing left to do.
    """
    requested = threading.Event()
    with Signals() as signals:
        watch = threading.Thread(
            target=_watch, args=(signals, requested, launched), name="signals", daemon=True
        )
        watch.start()
        try:
            with signals.noted(REQUESTS):
                yield requested
        finally:
            signals.wake()
            watch.join()


def _watch(signals: Signals, requested: threading.Event, launched: bool) -> None:
    """Act on the signals; in a thread, since the main one may be busy or waiting."""
    asked = False
    while (number := signals.next()) != WAKE:
        if number not in REQUESTS:
            continue
        if number == signal.SIGQUIT or (asked and not launched):
            os._exit(KILLED_BY_SIGNAL + number)
        asked = True
        requested.set()
