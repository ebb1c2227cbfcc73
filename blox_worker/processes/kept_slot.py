"""A slot whose child process is kept alive: started, watched, started again, given up."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from blox_worker.device.slots import Slot
from blox_worker.processes.lifeline import USELESS, ChildLine
from blox_worker.processes.restarts import Restarts

logger = logging.getLogger(__name__)

Command = Callable[[Slot, int], list[str]]

_SIGNAL_NAMES: Final = {number.value: number.name for number in signal.Signals}


class SlotEnd(Enum):
    """How a slot ended."""

    FINISHED = auto()  # its child had nothing more to do, or stopped as asked
    FAILED = auto()  # its child was asked to stop and ended badly
    GIVEN_UP = auto()  # its child dies again and again
    USELESS = auto()  # its child has decided to do no more


class KeptSlot:
    """A slot and its child process, if there is one at the moment.

    `ending` is None as long as there is, or as there will be one; `reason` says why the slot was
    given up.
    """

    def __init__(self, slot: Slot, command: Command, restarts: Restarts) -> None:
        self.slot = slot
        self.ending: SlotEnd | None = None
        self.reason = ""
        self._command = command
        self._restarts = restarts
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._line: ChildLine | None = None
        self._start_at = time.monotonic()

    @property
    def line(self) -> ChildLine | None:
        """The lifeline to wait for; None while there is none."""
        return self._line if self._line is not None and self._line.is_open else None

    @property
    def start_in_s(self) -> float | None:
        """The seconds until the next start, None if none is due."""
        if self.ending is not None or self._process is not None:
            return None
        return max(0.0, self._start_at - time.monotonic())

    def tend(self) -> None:
        """Take note of the child's end if it has ended; start a child if it is time."""
        if self._process is not None and self._line is not None:
            code = self._process.poll()
            if code is not None:
                self._ended(code, self._line)
        if self.start_in_s == 0:
            self._start()

    def stop(self, number: signal.Signals) -> None:
        """Send the child this signal to make it stop; from now on none is started."""
        self._stopping = True
        if self._process is not None:
            self._process.send_signal(number)
        elif self.ending is None:
            self.ending = SlotEnd.FINISHED

    def kill(self) -> None:
        """Kill the child and what it has started, if there is a child."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """Ask the child to stop and wait until it is gone, whatever it ends by."""
        self.stop(signal.SIGTERM)
        if self._process is not None:
            self._process.wait()
        if self._line is not None:
            self._line.close()

    def _start(self) -> None:
        line = ChildLine()
        try:
            self._process = subprocess.Popen(
                self._command(self.slot, line.child_descriptor),
                env={**os.environ, **self.slot.environment},
                pass_fds=[line.child_descriptor],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a terminal's Ctrl-C comes by way of the launcher, once
            )
        except OSError as error:  # no memory, no more processes
            line.close()
            self._died(f"cannot be started: {error}", progressed=False)
        else:
            line.handed_over()
            self._line = line

    def _ended(self, code: int, line: ChildLine) -> None:
        line.read()
        line.close()
        self._process = self._line = None
        how = exit_in_words(code)
        if code == 0 or (self._stopping and code == -signal.SIGTERM):  # before it had a handler
            self.ending = SlotEnd.FINISHED
        elif code == USELESS:
            self.ending = SlotEnd.USELESS
            why = f": {line.fault}" if line.fault else "; 'blox status' says why"
            logger.error("%s does no more%s", self.slot.name, why)
        elif self._stopping:
            self.ending = SlotEnd.FAILED
            logger.error("%s was asked to stop and ended by %s", self.slot.name, how)
        else:
            progressed, blameless = line.progress > 0, line.is_blameless
            self._died(line.fault or how, progressed=progressed, blameless=blameless)

    def _died(self, how: str, *, progressed: bool, blameless: bool = False) -> None:
        wait_s = self._restarts.wait_s(progressed=progressed, blameless=blameless)
        if wait_s is None:
            self.ending = SlotEnd.GIVEN_UP
            times = self._restarts.in_a_row
            self.reason = how if times == 1 else f"ended {times} times in a row, the last by: {how}"
            logger.error("%s is given up: %s", self.slot.name, self.reason)
            return
        self._start_at = time.monotonic() + wait_s
        logger.warning("%s ended: %s; starting it again in %g s", self.slot.name, how, wait_s)


def exit_in_words(code: int) -> str:
    """Return what a return code of a child process says."""
    if code >= 0:
        return f"exit code {code}"
    return f"signal {_SIGNAL_NAMES.get(-code, str(-code))}"
