"""Waiting while the store is away: what has to reach it is tried until it does, or until a stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from blox_store.errors import StoreUnavailable
from blox_store.store import Store

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# At random and up to 10 s, so that a thousand workers do not come back in the same moment.
_FIRST_WAIT_S: Final = 0.25
_MAX_WAIT_S: Final = 10.0


def patiently(
    action: Callable[[], Answer],
    *,
    stop: threading.Event,
    on_outage: Callable[[], None] = lambda: None,
) -> Answer:
    """Return what the action returns, however long the store is away.

    `on_outage` is called after every try that failed. Once a stop is requested the next
    StoreUnavailable is raised.
    """

    def outage_seen(state: RetryCallState) -> None:
        error = None if state.outcome is None else state.outcome.exception()
        logger.warning("%s; trying again", error)
        on_outage()

    retrying = Retrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_random_exponential(multiplier=_FIRST_WAIT_S, max=_MAX_WAIT_S),
        stop=stop_when_event_set(stop),
        sleep=sleep_using_event(stop),
        before_sleep=outage_seen,
        reraise=True,
    )
    return retrying(action)


def opened(url: str, *, stop: threading.Event) -> Store:
    """Return the store of a URL, however long it is away; each try is a line of the log.

    A refused login or a database that does not exist is told there too: the driver does not tell
    them from a server that is away. Raises StoreError for what waiting cannot mend, such as
    another schema revision, and StoreUnavailable once a stop is requested.
    """
    return patiently(lambda: Store(url), stop=stop)


@contextmanager
def unless_stopped(stop: threading.Event) -> Iterator[None]:
    """Let a stop that was requested while the store is away end this block like any other stop."""
    try:
        yield
    except StoreUnavailable:
        if not stop.is_set():
            raise
