"""Acknowledgements that the broker has not taken: what else would make a worker idle for ever.

Where one fails while the connection lives on (Redis hung for a moment), Celery logs it and goes
on; but the message keeps the only place that the worker has for one, and no other ever comes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from celery.worker.request import Request

# A connection that was lost as well is made anew by Celery in the meantime, and messages come.
PATIENCE_S: Final = 5.0

_NOT_TAKEN: Final = "Couldn't "  # ack or reject: how Celery's message begins


class Acknowledgements:
    """Follows what becomes of the last message of a worker.

    `broker_answers` says whether it can be reached just now; it may take as long as its timeouts.
    """

    def __init__(self, broker_answers: Callable[[], bool]) -> None:
        self._broker_answers = broker_answers
        self._last: Any = None
        self._overdue_since: float | None = None

    def message_came(self) -> None:
        """Note that messages come."""
        self._last = None

    def acknowledging(self, message: Any) -> None:
        """Note a message whose acknowledgement is on its way."""
        self._last = message

    def is_lost(self) -> bool:
        """Return whether the broker answers, and no more messages will come on this connection."""
        message = self._last
        if message is None or message.acknowledged or not self._broker_answers():
            self._overdue_since = None
            return False
        if self._overdue_since is None:
            self._overdue_since = time.monotonic()
        return time.monotonic() - self._overdue_since >= PATIENCE_S

    def request_class(self) -> type[Request]:
        """Return Celery's request, made to tell when it acknowledges its message."""
        tell = self.acknowledging

        class TellingRequest(Request):  # type: ignore[misc]
            def acknowledge(self) -> None:
                """Acknowledge the message, in Celery's own time."""
                tell(self.message)
                super().acknowledge()

        return TellingRequest


def in_one_line(record: logging.LogRecord) -> bool:
    """Let Celery's word of an acknowledgement that failed pass, without 80 lines of traceback."""
    if str(record.msg).startswith(_NOT_TAKEN):
        record.exc_info = None
    return True
