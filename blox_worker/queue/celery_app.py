"""The Celery application: the queue between scheduler and workers, and how Redis is to be used.

`docs/explanation/decisions/0008-queue-settings.md` has the reason of every setting.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from celery import Celery
from kombu import Queue
from kombu.utils.url import parse_url

from blox_store.store.values import MAX_PRIORITY

TASK: Final = "blox.train"
TIMEOUT_S: Final = 10.0  # after which a broker that does not answer is given up

_SHOWN_DIGITS: Final = 12  # of a store's identity
_DAY_S: Final = 86_400
_SOCKET_SCHEME: Final = "unix://"
_TLS_SCHEME: Final = "rediss://"
_TRANSPORT_OPTIONS: Final[dict[str, Any]] = {
    # Longer than any training: a message delivered again is refused by the store, but costs a try.
    "visibility_timeout": 30 * _DAY_S,
    "priority_steps": list(range(MAX_PRIORITY + 1)),
    "socket_keepalive": True,
}


def make_app(
    broker_url: str, store_id: str, *, measured: str | None = None, timeout_s: float = TIMEOUT_S
) -> Celery:
    """Return the application of a store on a broker: redis://, rediss:// or unix:// (a socket).

    Each store has a queue of its own: messages name runs by numbers, and every store has a run 1.
    So has each device whose latencies are `measured`, by its name, since only it can do these jobs.
    """
    queue = f"blox-{store_id[:_SHOWN_DIGITS]}" + (f"-{measured}" if measured else "")
    # A Redis that does not answer is given up, so that publishers and acknowledgements go on.
    timeouts = ("socket_connect_timeout", "socket_timeout", "health_check_interval")
    app = Celery("blox", broker=_for_kombu(broker_url), set_as_current=False)
    app.conf.update(
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_use_ssl=_tls(broker_url),
        broker_transport_options=_TRANSPORT_OPTIONS | dict.fromkeys(timeouts, timeout_s),
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_default_queue=queue,
        task_queues=[Queue(queue)],
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=True,
        worker_send_task_events=True,
    )
    return app


def message_priority(priority: int) -> int:
    """Return the priority of a job's message: on Redis the lowest number is delivered first."""
    return MAX_PRIORITY - min(max(priority, 0), MAX_PRIORITY)


def _for_kombu(url: str) -> str:
    if url.startswith(_SOCKET_SCHEME):
        return f"redis+socket://{url.removeprefix(_SOCKET_SCHEME)}"
    return url


def _tls(url: str) -> dict[str, Any] | None:
    """Return how TLS is to be used, by the `ssl_*` parameters of the URL.

    Without any kombu would take every certificate.
    """
    if not url.startswith(_TLS_SCHEME):
        return None
    given: dict[str, Any] = parse_url(url).get("ssl", {})
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED} | given
