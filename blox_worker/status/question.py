"""A question to a server that may hang: it is asked in a thread, by one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

THREAD: Final = "question"

Answer = TypeVar("Answer")


class Question(Generic[Answer]):
    """What is asked again and again, by whomever; `ask` gives the answer, or raises."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: Future[Answer] | None = None

    def asked(self) -> Future[Answer]:
        """Return the answer to come: a new one, unless one is on its way."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                # Not of a pool: the process would wait for its threads at its end.
                threading.Thread(
                    target=_fill, args=(self._answer, self._ask), name=THREAD, daemon=True
                ).start()
            return self._answer


def _fill(answer: Future[Answer], ask: Callable[[], Answer]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets it
        answer.set_exception(error)
