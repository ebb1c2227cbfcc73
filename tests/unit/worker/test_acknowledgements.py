from types import SimpleNamespace

import pytest

from blox_worker import acknowledgements as module
from blox_worker.acknowledgements import Acknowledgements


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
