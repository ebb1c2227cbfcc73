"""The scheduler's side of the queue on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from blox_core.recipe import preset
from blox_store.store import DueJob, Run
from blox_worker.errors import BrokerUnavailable
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import make_app
from tests.support.queue_messages import emptied, taken

STORE, OTHER_STORE = "a" * 32, "b" * 32
NOBODY = "redis://:secret@127.0.0.1:1/0"
RUN = Run(
    id=1,
    dataset="digits",
    recipe=preset("digits"),
    recipe_fingerprint="f" * 64,
    seed=3,
    trainer="simulated",
    trainer_revision=1,
    paused=False,
)


def due(*indices: int, priority: int = 0) -> list[DueJob]:
    """Return jobs that are due."""
    return [DueJob(arch_index=index, priority=priority) for index in indices]


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    with emptied(redis_url) as made:
        yield made


@pytest.fixture
def broker(client: redis.Redis, redis_url: str) -> Broker:
    """The queue of a store."""
    return Broker(make_app(redis_url, STORE))


def test_messages_keep_the_order_in_which_they_are_published(broker, redis_url) -> None:
    broker.publish(RUN, due(5, 3, 91_124))
    assert broker.waiting() == 3
    assert taken(make_app(redis_url, STORE)) == [[1, 5], [1, 3], [1, 91_124]]
    assert broker.waiting() == 0


def test_high_priorities_are_taken_first(broker, redis_url) -> None:
    for priority in (0, 9, -5, 4, 50):  # out of Celery's range: as its ends
        broker.publish(RUN, due(100 + priority, priority=priority))
    first = [index for _, index in taken(make_app(redis_url, STORE))]
    assert first == [109, 150, 104, 100, 95]


def test_stores_that_share_a_broker_do_not_see_each_others_messages(broker, redis_url) -> None:
    broker.publish(RUN, due(5))
    broker.remember(RUN)
    other = Broker(make_app(redis_url, OTHER_STORE))
    assert other.waiting() == 0
    assert not other.remembers(RUN)
    assert taken(make_app(redis_url, OTHER_STORE)) == []


def test_mark_goes_with_the_data(broker, client) -> None:
    assert not broker.remembers(RUN)
    broker.remember(RUN)
    assert broker.remembers(RUN)
    client.flushall()
    assert not broker.remembers(RUN)
    assert broker.waiting() == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda broker: broker.publish(RUN, due(1)),
        lambda broker: broker.waiting(),
        lambda broker: broker.remembers(RUN),
        lambda broker: broker.remember(RUN),
    ],
)
def test_broker_that_cannot_be_reached_is_named_without_its_password(call) -> None:
    broker = Broker(make_app(NOBODY, STORE))
    with pytest.raises(BrokerUnavailable, match="BLOX_BROKER_URL") as caught:
        call(broker)
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)
