"""The scheduler's side of the queue: publishing, and finding out whether Redis has lost anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from celery import Celery
from kombu import Connection
from kombu.exceptions import KombuError

from blox_store.store import DueJob, Run
from blox_worker.errors import BrokerUnavailable
from blox_worker.queue.celery_app import TASK, message_priority
from blox_worker.wording import describe_cells

BATCH: Final = 1000  # messages of one round trip; 91,125 go in 16 to 20 s, one by one in 54 s


class Broker:
    """The queue of one broker. Every call raises BrokerUnavailable while it cannot be reached."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._queue: str = app.conf.task_default_queue
        self.url: str = app.connection().as_uri()  # without the password

    def publish(self, run: Run, jobs: Sequence[DueJob]) -> None:
        """Send the messages of some jobs of a run, in this order within a priority."""
        with (
            self._reaching(),
            self._app.producer_pool.acquire(block=True) as producer,
            producer.batch(max_size=BATCH),
        ):
            for job in jobs:
                self._app.send_task(
                    TASK,
                    args=(run.id, job.arch_index),
                    task_id=f"r{run.id}-a{job.arch_index:05d}-s{run.seed}",
                    argsrepr=f"a{job.arch_index:05d} s{run.seed}",
                    kwargsrepr=describe_cells(job.arch_index),
                    priority=message_priority(job.priority),
                    producer=producer,
                    retry=False,
                )

    def waiting(self) -> int:
        """Return the number of messages that nobody has taken yet, of all runs that share the queue."""
        with self._channel() as channel:
            count: int = channel.queue_declare(queue=self._queue).message_count
            return count

    def answers(self) -> bool:
        """Return whether the broker can be reached; never raises BrokerUnavailable."""
        try:
            self.waiting()
        except BrokerUnavailable:
            return False
        return True

    def takes_writes(self) -> bool:
        """Return whether the broker takes what is written, which one that is full does not.

        Never raises BrokerUnavailable.
        """
        try:
            with self._channel() as channel:
                channel.client.set(f"{self._queue}-health", 1)
        except BrokerUnavailable:
            return False
        return True

    def remembers(self, run: Run) -> bool:
        """Return whether the broker has kept its data since `remember` was called for this run."""
        with self._channel() as channel:
            return bool(channel.client.exists(self._marker(run)))

    def remember(self, run: Run) -> None:
        """Leave a mark that goes with the broker's data, if they are lost."""
        with self._channel() as channel:
            channel.client.set(self._marker(run), 1)

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        with self._reaching(), self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=1)
            yield connection.default_channel

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except self._errors() as error:
            raise BrokerUnavailable(
                f"broker {self.url}: {error}; give a reachable one by BLOX_BROKER_URL"
            ) from error

    def _errors(self) -> tuple[type[BaseException], ...]:
        connection: Connection = self._app.connection_for_write()
        errors: tuple[type[BaseException], ...] = connection.recoverable_connection_errors
        return (*errors, *connection.recoverable_channel_errors, KombuError, OSError)

    def _marker(self, run: Run) -> str:
        return f"{self._queue}-published-run-{run.id}"
