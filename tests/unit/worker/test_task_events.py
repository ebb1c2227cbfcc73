"""What a worker tells Flower of its task, and that the end of a task is the last thing told."""

from types import SimpleNamespace

import pytest
from celery.worker import state

from blox_worker.job.outcome import Ending
from blox_worker.queue import task_events
from blox_worker.queue.message import Fate
from blox_worker.queue.task_events import EVERY_S, TaskEvents

TASK = "r1-a00123-s0"


class Dispatcher:
    """Keeps the events that are sent."""

    def __init__(self):
        self.sent = []

    def send(self, kind, **fields):
        self.sent.append((kind, fields))


class Timer:
    """Keeps what is to be called again and again."""

    def __init__(self):
        self.calls = []
        self.is_cancelled = False

    def call_repeatedly(self, every_s, function, arguments):
        assert every_s == EVERY_S
        self.calls.append(lambda: function(*arguments))
        return SimpleNamespace(cancel=self._cancel)

    def _cancel(self):
        self.is_cancelled = True


class Request:
    """Celery's request, as far as it sends events."""

    id = TASK

    def __init__(self, dispatcher):
        self._dispatcher = dispatcher

    def send_event(self, type, **fields):
        self._dispatcher.send(type, **fields)


@pytest.fixture
def consumer():
    return SimpleNamespace(event_dispatcher=Dispatcher(), timer=Timer())


@pytest.fixture
def events():
    return TaskEvents()


@pytest.fixture
def request_of(events, consumer):
    return events.request_class(Request)(consumer.event_dispatcher)


@pytest.fixture
def tick(events, consumer):
    """Does what Celery's thread does once in `EVERY_S`."""
    step = events.step()(consumer)
    step.start(consumer)
    return consumer.timer.calls[0]


def test_the_last_progress_is_sent_once(events, consumer, request_of, tick):
    tick()
    request_of.send_event("task-started")
    for epoch in (1, 2, 3):
        events.progress(f"epoch {epoch}/200 val 1.0")
    tick()
    tick()
    assert consumer.event_dispatcher.sent == [
        ("task-started", {}),
        ("task-progress", {"uuid": TASK, "result": "epoch 3/200 val 1.0"}),
    ]


@pytest.mark.parametrize(
    ("fate", "kind", "fields"),
    [
        (Fate.DONE, "task-succeeded", {"runtime": 3, "result": "text"}),
        (Fate.FAILED, "task-failed", {"runtime": 3, "result": "text", "exception": "text"}),
        (Fate.AGAIN, "task-retried", {"runtime": 3, "result": "text", "exception": "text"}),
        (Fate.REFUSED, "task-revoked", {"runtime": 3}),
    ],
)
def test_the_end_is_that_of_the_job(events, consumer, request_of, fate, kind, fields):
    request_of.send_event("task-started")
    events.ends(fate, "text")
    request_of.send_event("task-succeeded", result="'text'", runtime=3)
    assert consumer.event_dispatcher.sent[1:] == [(kind, fields)]


@pytest.mark.parametrize("ending", Ending)
def test_every_ending_of_a_job_is_a_fate_of_its_message(ending):
    assert Fate(ending.kind).kind == ending.kind


def test_a_message_that_goes_back_is_told_as_one_that_comes_again(events, consumer, request_of):
    request_of.send_event("task-started")
    events.ends(Fate.BACK, "stopping")
    request_of.send_event("task-rejected", requeue=True)
    told = {"requeue": True, "result": "stopping", "exception": "stopping"}
    assert consumer.event_dispatcher.sent[1:] == [("task-retried", told)]


def test_what_the_code_did_is_told_where_the_job_has_no_end(consumer, request_of):
    request_of.send_event("task-started")
    request_of.send_event("task-failed", exception="a bug")
    assert consumer.event_dispatcher.sent[1:] == [("task-failed", {"exception": "a bug"})]


def test_nothing_is_sent_after_the_end_that_would_hide_it(events, consumer, request_of, tick):
    request_of.send_event("task-started")
    events.progress("epoch 200/200 val 1.0")
    events.ends(Fate.DONE, "val 71.2 test 70.9 in 612 s")
    request_of.send_event("task-succeeded")
    tick()
    assert consumer.event_dispatcher.sent[-1][0] == "task-succeeded"


def test_a_worker_that_becomes_active_or_idle_says_so_at_once(consumer, tick, monkeypatch):
    monkeypatch.setattr(state, "active_requests", {object()})
    tick()
    tick()
    monkeypatch.setattr(state, "active_requests", set())
    tick()
    sent = consumer.event_dispatcher.sent
    assert [kind for kind, _ in sent] == ["worker-heartbeat", "worker-heartbeat"]
    assert [fields["active"] for _, fields in sent] == [1, 0]
    assert {fields["freq"] for _, fields in sent} == {task_events.HEARTBEAT_S}


def test_without_a_connection_nothing_is_sent(events, consumer, tick):
    step = events.step()(consumer)
    step.stop(consumer)  # before it was started
    step.start(consumer)
    step.stop(consumer)
    assert consumer.timer.is_cancelled
