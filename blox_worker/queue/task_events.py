"""What a worker tells those who watch the broker, such as Flower: how far its task is, how it ended.

A training never waits for it: it leaves a text, which Celery's own thread sends while it reaches
the broker, at most once in `EVERY_S`. What is not sent is lost, and nothing depends on it.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from celery import bootsteps
from celery.utils.sysinfo import load_average
from celery.worker import state
from celery.worker.request import Request

from blox_worker.queue.message import Fate

# 1,000 workers make 200 events/s of this, of which Flower takes some thousands.
EVERY_S: Final = 5.0
HEARTBEAT_S: Final = 30  # a thousand workers make 33/s of it

_PROGRESS: Final = "task-progress"
_STARTED: Final = "task-started"
_ENDED: Final = ("task-succeeded", "task-rejected")  # Celery's, however the job ended


class TaskEvents:
    """Follows the one task of a worker, from its start to its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._task_id: str | None = None
        self._news: str | None = None
        self._end: tuple[Fate, str] | None = None

    def progress(self, text: str) -> None:
        """Note how far the task is; the last text counts."""
        self._news = text

    def ends(self, fate: Fate, text: str) -> None:
        """Note how the task is about to end."""
        self._end = fate, text

    def request_class(self, base: type[Request]) -> type[Request]:
        """Return a request that tells how the job ended, where Celery tells how its code did."""
        events = self

        class ToldRequest(base):  # type: ignore[misc]
            def send_event(self, type: str, **fields: Any) -> None:
                """Send an event about this task."""
                kind = events._translated(self.id, type, fields)
                super().send_event(kind, **fields)

        return ToldRequest

    def step(self) -> type[bootsteps.StartStopStep]:
        """Return what sends progress from Celery's thread, while that has a connection."""
        events = self

        class ProgressStep(bootsteps.StartStopStep):  # type: ignore[misc]
            requires = ("celery.worker.consumer.events:Events",)

            def __init__(self, consumer: Any, **options: Any) -> None:
                super().__init__(consumer, **options)
                self._timer: Any = None
                self._active = 0

            def start(self, consumer: Any) -> None:
                """Send what is new, again and again."""
                self._timer = consumer.timer.call_repeatedly(EVERY_S, self._tell, (consumer,))

            def stop(self, consumer: Any) -> None:
                """Send no more: the connection is gone."""
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None

            def _tell(self, consumer: Any) -> None:
                active = len(state.active_requests)
                if active != self._active:  # sooner than by the next heartbeat
                    self._active = active
                    consumer.event_dispatcher.send("worker-heartbeat", **_heartbeat(active))
                events._send_news(consumer.event_dispatcher)

        return ProgressStep

    def _translated(self, task_id: str, kind: str, fields: dict[str, Any]) -> str:
        """Return the kind of event to send instead of Celery's, its fields changed in place."""
        if kind == _STARTED:
            with self._lock:
                self._task_id, self._news, self._end = task_id, None, None
        if kind not in _ENDED or self._end is None:
            return kind
        with self._lock:  # from here on no progress is sent, which would hide the end
            self._task_id = None
        fate, text = self._end
        if fate is Fate.REFUSED:
            fields.pop("result", None)  # what an earlier message came to stays
        else:
            fields["result"] = text
        if fate not in (Fate.DONE, Fate.REFUSED):
            fields["exception"] = text
        return fate.kind

    def _send_news(self, dispatcher: Any) -> None:
        with self._lock:
            text, self._news = self._news, None
            if text is not None and self._task_id is not None:
                dispatcher.send(_PROGRESS, uuid=self._task_id, result=text)


def _heartbeat(active: int) -> dict[str, Any]:
    return {
        "freq": HEARTBEAT_S,
        "active": active,
        "processed": state.all_total_count[0],
        "loadavg": load_average(),
        **state.SOFTWARE_INFO,
    }
