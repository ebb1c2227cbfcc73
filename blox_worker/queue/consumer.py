"""A Celery worker in this process: one message at a time, in a thread, until a stop."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from typing import Any, Final

from celery import Celery
from celery.apps.worker import Worker as CeleryWorker
from celery.exceptions import Reject
from celery.platforms import SecurityWarning
from celery.worker import request, state

from blox_store.store import Store
from blox_worker.job.outcome import Worker
from blox_worker.processes.lifeline import Lifeline
from blox_worker.queue.acknowledgements import Acknowledgements, in_one_line
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import TASK
from blox_worker.queue.message import Fate, MessageHandler
from blox_worker.queue.task_events import HEARTBEAT_S, TaskEvents
from blox_worker.worker.presence import Presence

logger = logging.getLogger(__name__)

# What a stop grants Celery after the last job: a broker that hangs would take it four timeouts.
_LEAVE_S: Final = 5.0
_LOOK_EVERY_S: Final = 1.0


def consume(
    app: Celery,
    store: Store,
    worker: Worker,
    *,
    stop: threading.Event,
    lifeline: Lifeline,
    run_id: int | None = None,
) -> int:
    """Run the jobs that the queue names until a stop; return the exit code of the process.

    `run_id` is the only run whose jobs come, None if they are of any. The pool is one thread: the
    consumer stays responsive, the job can be asked to stop, and nothing is forked after torch.
    """
    events = TaskEvents()
    handler = MessageHandler(
        store, worker, stop=stop, lifeline=lifeline, on_progress=events.progress
    )
    acknowledgements = Acknowledgements(Broker(app).answers)
    busy = threading.Lock()
    _register(app, handler, acknowledgements, events, busy)
    _quieten()
    with Presence(store, worker, run_id=run_id) as presence:
        handler.clear_leftovers()
        celery_worker = _new_worker(app, worker.name, stop)
        celery = threading.Thread(target=celery_worker.start, name="celery", daemon=True)
        celery.start()
        _wait_for_stop(stop, celery_worker, handler, acknowledgements)
        state.should_stop = 0  # by which Celery's loop ends, whoever requested the stop
        with busy:
            pass  # a training that is stopping
        celery.join(_LEAVE_S)
        if handler.exit_code == 0:
            handler.clear_leftovers()
        presence.is_to_stay = handler.exit_code != 0
    if celery.is_alive():
        logger.warning("the broker does not answer; leaving without a word to it")
        logging.shutdown()
        os._exit(handler.exit_code)  # Celery's exit handlers would wait for the broker again
    return handler.exit_code


def _wait_for_stop(
    stop: threading.Event,
    celery_worker: Any,
    handler: MessageHandler,
    acknowledgements: Acknowledgements,
) -> None:
    """Wait for a stop; where Celery or the broker is the reason of it, another process goes on."""
    while not stop.wait(_LOOK_EVERY_S):
        if acknowledgements.is_lost():
            handler.start_again("the broker has lost an acknowledgement")
    if celery_worker.exitcode:  # a Redis that is full, or read-only; one that is away is waited for
        handler.start_again("the broker refused a command, or Celery failed: see before")


def _register(
    app: Celery,
    handler: MessageHandler,
    acknowledgements: Acknowledgements,
    events: TaskEvents,
    busy: threading.Lock,
) -> None:
    """Have the messages of the queue handled, `busy` being held meanwhile."""
    request_class = events.request_class(acknowledgements.request_class())
    app.steps["consumer"].add(events.step())

    @app.task(name=TASK, Request=request_class)  # type: ignore[untyped-decorator]
    def train(run_id: int, arch_index: int) -> str:
        acknowledgements.message_came()
        with busy:
            fate, text = handler.handle(run_id, arch_index)
        events.ends(fate, text)
        if fate is Fate.BACK:
            raise Reject(text, requeue=True)
        return text


def _quieten() -> None:
    """Leave out what Celery would say for nothing."""
    # It warns root of pickled messages; ours are JSON.
    warnings.simplefilter("ignore", SecurityWarning)
    # A message that goes back to the queue is a traceback there; the handler says why it does.
    logging.getLogger("celery.app.trace").setLevel(logging.ERROR)
    logging.getLogger(request.__name__).addFilter(in_one_line)


def _new_worker(app: Celery, name: str, stop: threading.Event) -> Any:
    return _worker_class(app, stop)(
        hostname=name,
        pool="threads",
        concurrency=1,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        heartbeat_interval=HEARTBEAT_S,
    )


def _worker_class(app: Celery, stop: threading.Event) -> Any:
    """Return Celery's worker without its signal handlers and logging: ours know of trainings."""

    class QueueWorker(CeleryWorker):  # type: ignore[misc]
        def install_platform_tweaks(self, worker: Any) -> None:
            """Leave the signals to `stop_requests`."""

        def setup_logging(self, colorize: bool | None = None) -> bool:
            """Keep the process's logging and warnings: Celery would set up its own."""
            return True

        def start(self) -> None:
            """Run until a stop, and leave nobody waiting for one however that ends."""
            try:
                super().start()
            finally:
                stop.set()

        def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
            """Ask the running job to stop, then wait for it."""
            self.exitcode = exitcode  # which whoever waits for the stop looks at
            stop.set()
            super().stop(in_sighandler=in_sighandler, exitcode=exitcode)

    return app.subclass_with_self(QueueWorker, name="Worker", reverse="Worker")
