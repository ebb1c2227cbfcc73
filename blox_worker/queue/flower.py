"""Flower in this process: its pages can be read and nothing else, and its state outlasts it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from celery import Celery
from celery.events import EventReceiver
from flower import urls
from flower.api.tasks import GetQueueLengths, ListTasks, ListTaskTypes, TaskInfo
from flower.api.workers import ListWorkers
from flower.app import Flower
from flower.events import Events
from flower.options import options
from flower.views.broker import BrokerView
from flower.views.error import NotFoundErrorHandler
from flower.views.monitor import Healthcheck
from flower.views.tasks import TasksDataTable, TasksView, TaskView
from flower.views.workers import WorkersView, WorkerView
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.web import ErrorHandler, StaticFileHandler

from blox_worker.errors import AddressRefused

logger = logging.getLogger(__name__)

# All 91,125 jobs of a run, and some of the one before it.
MAX_TASKS: Final = 100_000
SHOWN_COLUMNS: Final = "args,kwargs,state,result,worker,received,runtime,uuid"

# What is not here is closed, also what a later Flower adds.
READABLE: Final = frozenset(
    {
        *(WorkersView, WorkerView, TasksView, TasksDataTable, TaskView, BrokerView),
        *(ListWorkers, ListTasks, ListTaskTypes, TaskInfo, GetQueueLengths),
        *(Healthcheck, StaticFileHandler, NotFoundErrorHandler),
    }
)

# The page of tasks asks for its rows by POST, since a search may be long.
_METHODS: Final = {TasksDataTable: ("GET", "POST")}
_SAVE_EVERY_MS: Final = 600_000  # of 91,125 tasks it takes 5 s, in which no page is answered
_FORGET_WORKERS_S: Final = 86_400  # as `blox status` does
_LOOK_EVERY_MS: Final = 200
_RECONNECT_S: Final = 5.0


class PatientEvents(Events):  # type: ignore[misc]
    """Flower's receiver of events, which comes back soon however long the broker was away."""

    def run(self) -> None:
        """Receive events, in a thread that ends with the process; Flower's own waits longer each time."""
        while True:
            try:
                with self.capp.connection() as connection:
                    handlers = {"*": self.on_event}
                    receiver = EventReceiver(connection, handlers=handlers, app=self.capp)
                    receiver.capture(limit=None, timeout=None, wakeup=True)
            except Exception as error:  # noqa: BLE001 - a thread that ended would go unnoticed
                logger.warning("no events: %s; trying again", error)
            time.sleep(_RECONNECT_S)


class ReadOnlyFlower(Flower):  # type: ignore[misc]
    """Flower without the pages that change something, and without its open metrics."""

    def find_handler(self, request: Any, **options: Any) -> Any:
        """Return what answers a request: 404 from a page that is closed, 405 to what does not read."""
        found = super().find_handler(request, **options)
        if found.handler_class not in READABLE:
            return self.get_handler_delegate(request, ErrorHandler, {"status_code": 404})
        if request.method not in _METHODS.get(found.handler_class, ("GET",)):
            return self.get_handler_delegate(request, ErrorHandler, {"status_code": 405})
        return found


def listening(
    app: Celery, *, address: str, port: int, credentials: Sequence[str], file: Path | None
) -> ReadOnlyFlower:
    """Return Flower, which listens already; what it knows is taken from `file` and kept there.

    `credentials` are `user:password` pairs, one of which every page but `/healthcheck` asks for.
    Raises AddressRefused if it cannot listen there.
    """
    os.umask(0o077)  # the file is a pickle: who may write it could run code here
    _configure(address, port, credentials, file)
    loop = IOLoop.current()
    flower = ReadOnlyFlower(
        options=options, capp=app, events=_events(app, loop), io_loop=loop, **urls.settings
    )
    try:
        flower.start_http_server()
    except OSError as error:
        raise AddressRefused(
            f"{address}:{port}: {error.strerror}; give another by --address and --port"
        ) from error
    return flower


def serve(flower: ReadOnlyFlower, stop: threading.Event) -> None:
    """Follow the workers and answer browsers until a stop, then keep what is known."""

    def look() -> None:
        if stop.is_set():
            flower.stop()

    PeriodicCallback(look, _LOOK_EVERY_MS).start()
    flower.start()


def _events(app: Celery, loop: IOLoop) -> PatientEvents:
    return PatientEvents(
        app,
        loop,
        db=options.db,
        persistent=options.persistent,
        enable_events=False,  # our workers send them anyway; asking costs 1,000 messages in 5 s
        state_save_interval=_SAVE_EVERY_MS,
        max_workers_in_memory=options.max_workers,
        max_tasks_in_memory=MAX_TASKS,
    )


def _configure(address: str, port: int, credentials: Sequence[str], file: Path | None) -> None:
    """Set Flower's options, which are the process's: nothing is on a command line, seen by `ps`."""
    chosen = {
        "address": address,
        "port": port,
        "basic_auth": list(credentials),
        "persistent": file is not None,
        "db": str(file or ""),
        "purge_offline_workers": _FORGET_WORKERS_S,
        "tasks_columns": SHOWN_COLUMNS,
        "read_only": True,  # which takes the buttons from the pages
    }
    for name, value in chosen.items():
        setattr(options, name, value)
