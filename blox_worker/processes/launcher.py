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
from dataclasses import dataclass, field, replace
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
            return _Launcher(kept=kept, signals=signals, on_stopped=on_stopped, stays=stays).run()
        finally:  # nobody is left behind, also if something of ours breaks
            for one in kept:
                one.abandon()


@dataclass(kw_only=True)
class _Launcher:
    """What `launch` knows while it runs."""

    kept: Sequence[KeptSlot]
    signals: Signals
    on_stopped: Callable[[Slot, str], None]
    stays: bool
    stopping: bool = False
    forced_by: int | None = None
    kill_at: float | None = None
    untold: set[str] = field(default_factory=set)
    said_it_stays: bool = False

    def run(self) -> int:
        """Tend the slots until all have ended, and it is told of those that were given up."""
        while self._goes_on():
            self._wait()
            for one in self.kept:
                if one.ending is None:
                    one.tend()
                    if one.ending is SlotEnd.GIVEN_UP:
                        self._tell(one)
            self._kill_if_due()
            self._say_if_it_stays()
        return self._exit_code()

    def _goes_on(self) -> bool:
        if any(one.ending is None for one in self.kept):
            return True
        return (self.stays or bool(self.untold)) and not self.stopping

    def _say_if_it_stays(self) -> None:
        none_is_left = all(one.ending is not None for one in self.kept)
        if self.stays and none_is_left and not self.stopping and not self.said_it_stays:
            logger.error("no worker is left; mend the node, then start this launcher again")
            self.said_it_stays = True

    def _tell(self, one: KeptSlot) -> None:
        """Call `on_stopped` where it holds up nobody."""
        self.untold.add(one.slot.name)

        def tell() -> None:
            try:
                self.on_stopped(one.slot, one.reason)
            finally:
                self.untold.discard(one.slot.name)
                self.signals.wake()

        threading.Thread(target=tell, name="on_stopped", daemon=True).start()

    def _wait(self) -> None:
        """Wait until there may be something to do, and take in what has come."""
        lines = {line.fileno(): line for one in self.kept if (line := one.line) is not None}
        for descriptor in wait([self.signals.fileno(), *lines], self._timeout_s()):
            if isinstance(descriptor, int) and descriptor in lines:
                lines[descriptor].read()
        for number in self.signals.take():
            if number in REQUESTS:
                self._asked(number)

    def _timeout_s(self) -> float | None:
        """Return the seconds until something is due by itself, None if nothing is."""
        due = [wait_s for one in self.kept if (wait_s := one.start_in_s) is not None]
        if self.kill_at is not None:
            due.append(max(0.0, self.kill_at - time.monotonic()))
        return min(due, default=None)

    def _asked(self, number: int) -> None:
        """Act on a request to stop: the first asks, the second and SIGQUIT do not wait."""
        if self.stopping or number == signal.SIGQUIT:
            self._force(number)
        else:
            self._stop(signal.SIGTERM)
            if names := [one.slot.name for one in self.kept if one.ending is None]:
                logger.warning("stopping as asked; waiting for %s", ", ".join(names))

    def _force(self, number: int) -> None:
        if self.forced_by is None:
            self.forced_by = number
            self.kill_at = time.monotonic() + _KILL_AFTER_S
            self._stop(signal.SIGQUIT)  # a second SIGTERM is lost if the first is still pending

    def _stop(self, number: signal.Signals) -> None:
        self.stopping = True
        for one in self.kept:
            one.stop(number)

    def _kill_if_due(self) -> None:
        if self.kill_at is not None and time.monotonic() >= self.kill_at:
            self.kill_at = None
            for one in self.kept:
                one.kill()

    def _exit_code(self) -> int:
        endings = {one.ending for one in self.kept}
        if SlotEnd.FAILED in endings:
            return FAILURE if self.forced_by is None else KILLED_BY_SIGNAL + self.forced_by
        return SUCCESS if SlotEnd.FINISHED in endings else FAILURE
