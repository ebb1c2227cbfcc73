"""What a queue message makes happen: its job is run, and the worker draws its conclusions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from blox_core.result.epoch_report import EpochReport
from blox_store.errors import RunNotFound, StoreError, StoreUnavailable
from blox_store.exit_codes import FAILURE
from blox_store.store import Lease, NoClaim, Run, Store
from blox_worker.errors import DeviceBusy, WorkerSuspected
from blox_worker.job.job import run_job
from blox_worker.job.outcome import JobOutcome, Worker, epoch_in_short, outcome_in_short
from blox_worker.job_log import log_refusal
from blox_worker.on_disk.outbox import clear_leftovers
from blox_worker.patience import patiently
from blox_worker.processes.lifeline import USELESS, Lifeline
from blox_worker.worker.child import report_fault
from blox_worker.worker.suspicion import FailureStreak, stop_claiming

logger = logging.getLogger(__name__)


class Fate(Enum):
    """What becomes of a message. All but BACK are acknowledged: the store knows what is left.

    By `kind`, the event that Celery sends, Flower waits for the next message of a job that comes
    again, and keeps what an earlier one came to of a job that was refused.
    """

    DONE = "task-succeeded"  # its job was trained
    FAILED = "task-failed"  # its job was given up
    AGAIN = "task-retried"  # its job comes again, with another message
    REFUSED = "task-revoked"  # there was nothing to claim
    BACK = "back"  # it returns to the queue, for another worker

    @property
    def kind(self) -> str:
        """The event by which Celery tells of it, of some as an `Ending` names it."""
        return Fate.AGAIN.kind if self is Fate.BACK else self.value


class MessageHandler:
    """Handles the messages of one worker process, one at a time.

    A fault of the node, too many failures in a row, and a run of another trainer revision end the
    process: `stop` is set, and `exit_code` says to the launcher why. `on_progress` is called with a
    few words after every epoch, from the thread that trains.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        *,
        stop: threading.Event,
        lifeline: Lifeline,
        on_progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._store = store
        self._worker = worker
        self._stop = stop
        self._lifeline = lifeline
        self._on_progress = on_progress
        self._streak = FailureStreak(limit=worker.settings.max_faults_in_a_row)
        self._runs: dict[int, Run] = {}
        self.exit_code = 0

    def clear_leftovers(self) -> None:
        """Clear what workers that died have left, once the store is there or a stop requested.

        It is for the start of the process, and for its end unless a fault has ended it.
        """
        folder = self._worker.settings.checkpoint_dir
        try:
            patiently(lambda: clear_leftovers(folder, self._store), stop=self._stop)
        except Exception as error:  # noqa: BLE001 - what ails the folder or the store ails all jobs
            if not (isinstance(error, StoreUnavailable) and self._stop.is_set()):
                self._node_fault(error)

    def handle(self, run_id: int, arch_index: int) -> tuple[Fate, str]:
        """Run the job of a message; return what becomes of the message, and a line about it."""
        if self._stop.is_set():
            return Fate.BACK, "stopping"
        try:
            run = self._run(run_id)

            def epoch_ended(lease: Lease, report: EpochReport) -> None:
                self._on_progress(epoch_in_short(report, run.training_recipe))

            outcome = run_job(
                self._store,
                run,
                arch_index,
                worker=self._worker,
                stop=self._stop,
                on_epoch=epoch_ended,
            )
            if isinstance(outcome, NoClaim):
                return self._refused(run, arch_index, outcome)
            return Fate(outcome.ending.kind), self._ended(outcome, run)
        except RunNotFound as error:
            return Fate.REFUSED, str(error)
        except Exception as error:  # noqa: BLE001 - the job's own were dealt with in its attempt
            if self._stop.is_set() and isinstance(error, StoreUnavailable | DeviceBusy):
                return Fate.BACK, str(error)
            return self._node_fault(error)

    def _run(self, run_id: int) -> Run:
        """Return a run, which is read once: a claim says if it is not any more what it was."""
        if run_id not in self._runs:
            self._runs[run_id] = patiently(lambda: self._store.runs.find(run_id), stop=self._stop)
        return self._runs[run_id]

    def _ended(self, outcome: JobOutcome, run: Run) -> str:
        if outcome.ending.has_result:
            self._lifeline.progress()
        self._streak.note(outcome)
        if self._streak.is_too_long:
            self._suspected()
        return outcome_in_short(outcome, run)

    def _refused(self, run: Run, arch_index: int, reason: NoClaim) -> tuple[Fate, str]:
        if reason is NoClaim.OTHER_RUN:  # the database was restored, and has numbered anew
            del self._runs[run.id]
            return self.handle(run.id, arch_index)
        log_refusal(run.id, arch_index, self._worker.name, reason.value)
        if reason is not NoClaim.OTHER_REVISION:
            return Fate.REFUSED, reason.value
        text = f"{run}: {reason.value}; this worker has another version of Blox installed"
        self._end_process(USELESS, text)
        with suppress(StoreError):
            self._store.workers.stop(self._worker.name, text)
        return Fate.BACK, text

    def _suspected(self) -> None:
        error: WorkerSuspected = patiently(
            lambda: stop_claiming(self._store, self._worker.name, self._streak), stop=self._stop
        )
        self._end_process(USELESS, str(error))

    def _node_fault(self, error: BaseException) -> tuple[Fate, str]:
        text = report_fault(error, self._store, self._worker.name, self._lifeline)
        self._end_process(FAILURE, text)
        return Fate.BACK, text  # nobody may have claimed the job; one message too many is harmless

    def start_again(self, reason: str) -> None:
        """End the process through no fault of the node, so that its launcher starts another one."""
        self._lifeline.blameless()
        self._end_process(FAILURE, reason)

    def _end_process(self, code: int, text: str) -> None:
        logger.error("worker %s ends: %s", self._worker.name, text)
        self.exit_code = code
        self._stop.set()
