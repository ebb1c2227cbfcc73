"""How Flower comes back to a broker, and what is closed whatever Flower has."""

import threading
from types import SimpleNamespace

import pytest
from tornado.web import RequestHandler

from blox_worker.queue import flower as dashboard
from blox_worker.queue.celery_app import make_app
from blox_worker.queue.flower import PatientEvents, ReadOnlyFlower


def test_events_are_tried_for_again_and_again(monkeypatch, redis_url):
    tries = []
    came = threading.Event()

    class Receiver:
        def __init__(self, connection, **options):
            tries.append(connection.as_uri())

        def capture(self, **options):
            if len(tries) < 3:
                raise ConnectionError("away")
            came.set()
            threading.Event().wait()  # until the process ends

    monkeypatch.setattr(dashboard, "EventReceiver", Receiver)
    monkeypatch.setattr(dashboard, "_RECONNECT_S", 0)
    app = make_app(redis_url, "0123456789abcdef")
    PatientEvents(app, None, enable_events=False, max_tasks_in_memory=1).start()
    assert came.wait(60)
    assert len(tries) == 3


@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("POST", 404)])
def test_a_page_that_a_later_flower_adds_is_closed(monkeypatch, method, status):
    class NewPage(RequestHandler):
        pass

    found = SimpleNamespace(handler_class=NewPage)
    monkeypatch.setattr(dashboard.Flower, "find_handler", lambda self, request, **options: found)
    flower = object.__new__(ReadOnlyFlower)
    monkeypatch.setattr(
        flower, "get_handler_delegate", lambda request, handler, options: options, raising=False
    )
    answer = flower.find_handler(SimpleNamespace(method=method))
    assert answer == {"status_code": status}
