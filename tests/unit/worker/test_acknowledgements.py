import logging
from types import SimpleNamespace

import pytest
from kombu.message import Message

from blox_worker.queue import acknowledgements as module
from blox_worker.queue.acknowledgements import Acknowledgements, in_one_line


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)


def followed(*, acknowledged=False, answers=True):
    made = Acknowledgements(lambda: answers)
    made.acknowledging(SimpleNamespace(acknowledged=acknowledged))
    return made


def test_one_that_the_broker_has_not_taken_although_it_answers_is_lost():
    assert followed().is_lost()


def test_nothing_is_lost_before_the_first_message():
    assert not Acknowledgements(lambda: True).is_lost()


def test_one_that_was_taken_is_not_lost():
    assert not followed(acknowledged=True).is_lost()


def test_a_broker_that_does_not_answer_is_waited_for():
    assert not followed(answers=False).is_lost()


def test_where_messages_come_nothing_is_lost():
    made = followed()
    made.message_came()
    assert not made.is_lost()


def test_celery_has_time_to_connect_anew(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 600.0)
    made = followed()
    assert not made.is_lost()
    assert not made.is_lost()


class Gone:
    """The channel of a connection that is lost."""

    no_ack_consumers = None

    def basic_ack(self, *arguments, **options):
        raise ConnectionError("gone")

    def basic_reject(self, *arguments, **options):
        raise ConnectionError("gone")


def test_what_the_broker_has_not_taken_is_one_line_of_the_log(caplog):
    logger = logging.getLogger("test")
    logger.addFilter(in_one_line)
    Message(body=b"", channel=Gone(), delivery_tag=7).ack_log_error(logger, (ConnectionError,))
    Message(body=b"", channel=Gone(), delivery_tag=8).reject_log_error(logger, (ConnectionError,))
    logger.error("another error", exc_info=ValueError("x"))
    assert [bool(record.exc_info) for record in caplog.records] == [False, False, True]
    assert "Couldn't ack 7, reason:ConnectionError('gone')" in caplog.text
