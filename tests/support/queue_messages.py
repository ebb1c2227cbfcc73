"""The messages of a store's queue, as workers would get them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from celery import Celery


@contextmanager
def emptied(url: str) -> Iterator[redis.Redis]:
    """Give a client of a Redis server that has lost its data."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
        yield client


def taken(app: Celery) -> list[list[int]]:
    """Take all messages of an application's queue; return (run id, arch index) of each."""
    found = []
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        while (message := channel.basic_get(app.conf.task_default_queue, no_ack=True)) is not None:
            arguments, _, _ = message.decode()
            found.append(arguments)
    return found
