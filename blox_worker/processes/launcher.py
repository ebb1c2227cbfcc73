"""The launcher: one child process per slot, kept alive, and stopped together.

It is one thread that waits for signals, deaths of children and lifelines, so that none of them
can come between looking for it and acting on it.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Final

from blox_store.exit_codes import FAILURE, SUCCESS
from blox_store.settings import PREFIX
from blox_store.store import Store
from blox_worker.device.slots import Slot
from blox_worker.patience import patiently
from blox_worker.processes.kept_slot import Command, KeptSlot, SlotEnd
from blox_worker.processes.restarts import Restarts
from blox_worker.processes.signals import REQUESTS, Signals
from blox_worker.processes.stop import KILLED_BY_SIGNAL
from blox_worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

_KILL_AFTER_S: Final = 5.0  # a child that is to end at once and does not


def launch_workers(
    store: Store,
    url: str,
    slots: Sequence[Slot],
    verb: Sequence[str],
    *,
    settings: WorkerSettings,
    stays: bool = False,
) -> int:
    """Launch `blox VERB` as a worker in every slot, as `launch` does; return the exit code.

    A worker finds the store of this `url`, and what else it needs, as this process did. The store
    is told of those that were given up.
    """
    # Not on a command line, where whoever lists processes could read a password.
    own = {f"{PREFIX}DATABASE_URL": url}
    told = [replace(slot, environment={**slot.environment, **own}) for slot in slots]

    def command(slot: Slot, lifeline: int) -> list[str]:
        child = ["--slot", slot.name, "--device", slot.device, "--lifeline", str(lifeline)]
        return [sys.executable, "-P", "-m", "blox_worker.entry", *verb, *child]

    def given_up(slot: Slot, reason: str) -> None:
        patiently(lambda: store.workers.stop(slot.name, reason), stop=threading.Event())

    return launch(told, command, settings=settings, on_stopped=given_up, stays=stays)


def launch(
    slots: Sequence[Slot],
    command: Command,
    *,
    settings: WorkerSettings,
    on_stopped: Callable[[Slot, str], None],
    stays: bool = False,
) -> int:
    """Run `command(slot, lifeline)` in every slot until all have ended; return the exit code.

    A child that exits by 0 has finished; one that dies is started again after a while, until it
    has died `max_faults_in_a_row` times without progress: then `on_stopped` is called with the
    slot and the reason, in a thread, so that it may wait for a store that is away. SIGTERM or
    SIGINT asks the children to stop and waits for them; a second one, or SIGQUIT, ends them at
    once. Only from a process's main thread.

    A launcher that `stays` waits for a stop when every slot was given up: who would start it again
    at once, as a container's restart policy does, would undo that.

    Returns 0 if work was finished or stopped as asked, 1 if every slot was given up or a child
    did not stop well, and 128 + a signal's number if that ended children at once.
    """
    kept = [KeptSlot(slot, command, Restarts(settings)) for slot in slots]
    with Signals() as signals, signals.noted((*REQUESTS, signal.SIGCHLD)):
        try:
            return _Launcher(kept, signals, on_stopped, stays=stays).run()
        finally:  # nobody is left behind, also if something of ours breaks
            for one in kept:
                one.abandon()


class _Launcher:
    """What `launch` knows while it runs."""

    def __init__(
        self,
        kept: Sequence[KeptSlot],
        signals: Signals,
        on_stopped: Callable[[Slot, str], None],
        *,
        stays: bool,
    ) -> None:
        self._kept = kept
        self._signals = signals
        self._on_stopped = on_stopped
        self._stays = stays
        self._stopping = False
        self._forced_by: int | None = None
        self._kill_at: float | None = None
        self._untold: set[str] = set()
        self._said_it_stays = False

    def run(self) -> int:
        """Tend the slots until all have ended, and it is told of those that were given up."""
        while self._goes_on():
            self._wait()
            for one in self._kept:
                if one.ending is None:
                    one.tend()
                    if one.ending is SlotEnd.GIVEN_UP:
                        self._tell(one)
            self._kill_if_due()
            self._say_if_it_stays()
        return self._exit_code()

    def _goes_on(self) -> bool:
        if any(one.ending is None for one in self._kept):
            return True
        return (self._stays or bool(self._untold)) and not self._stopping

    def _say_if_it_stays(self) -> None:
        none_is_left = all(one.ending is not None for one in self._kept)
        if self._stays and none_is_left and not self._stopping and not self._said_it_stays:
            logger.error("no worker is left; mend the node, then start this launcher again")
            self._said_it_stays = True

    def _tell(self, one: KeptSlot) -> None:
        """Call `on_stopped` where it holds up nobody."""
        self._untold.add(one.slot.name)

        def tell() -> None:
            try:
                self._on_stopped(one.slot, one.reason)
            finally:
                self._untold.discard(one.slot.name)
                self._signals.wake()

        threading.Thread(target=tell, name="on_stopped", daemon=True).start()

    def _wait(self) -> None:
        """Wait until there may be something to do, and take in what has come."""
        lines = {line.fileno(): line for one in self._kept if (line := one.line) is not None}
        for descriptor in wait([self._signals.fileno(), *lines], self._timeout_s()):
            if isinstance(descriptor, int) and descriptor in lines:
                lines[descriptor].read()
        for number in self._signals.take():
            if number in REQUESTS:
                self._asked(number)

    def _timeout_s(self) -> float | None:
        """Return the seconds until something is due by itself, None if nothing is."""
        due = [wait_s for one in self._kept if (wait_s := one.start_in_s) is not None]
        if self._kill_at is not None:
            due.append(max(0.0, self._kill_at - time.monotonic()))
        return min(due, default=None)

    def _asked(self, number: int) -> None:
        """Act on a request to stop: the first asks, the second and SIGQUIT do not wait."""
        if self._stopping or number == signal.SIGQUIT:
            self._force(number)
        else:
            self._stop(signal.SIGTERM)
            if names := [one.slot.name for one in self._kept if one.ending is None]:
                logger.warning("stopping as asked; waiting for %s", ", ".join(names))

    def _force(self, number: int) -> None:
        if self._forced_by is None:
            self._forced_by = number
            self._kill_at = time.monotonic() + _KILL_AFTER_S
            self._stop(signal.SIGQUIT)  # a second SIGTERM is lost if the first is still pending

    def _stop(self, number: signal.Signals) -> None:
        self._stopping = True
        for one in self._kept:
            one.stop(number)

    def _kill_if_due(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_at = None
            for one in self._kept:
                one.kill()

    def _exit_code(self) -> int:
        endings = {one.ending for one in self._kept}
        if SlotEnd.FAILED in endings:
            return FAILURE if self._forced_by is None else KILLED_BY_SIGNAL + self._forced_by
        return SUCCESS if SlotEnd.FINISHED in endings else FAILURE
