"""The lifeline between a launcher and one of its child processes: a socket pair, closed by death.

A child learns from it that its launcher is gone; the launcher learns whether the child has done
any work, and which fault of the node ends it. Neither ever waits for the other.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

# The exit code of a worker that has decided to stop claiming; its row in the store, or its fault, says why.
USELESS: Final = 3

_PROGRESS: Final = "progress"
_BLAMELESS: Final = "blameless"
_FAULT: Final = "fault "
_SHOWN_CHARACTERS: Final = 500  # of a fault; the log of the child has the whole
_CHUNK_BYTES: Final = 65_536


class Lifeline:
    """The child's end of a lifeline, by the descriptor that the launcher has passed on."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)  # a grandchild would keep it open
        self._has_progressed = False

    def on_parent_death(self, callback: Callable[[], None]) -> None:
        """Call back from a thread once the launcher is gone."""

        def watch() -> None:
            with suppress(OSError):  # the launcher died with messages unread
                self._socket.recv(1)  # the launcher never writes
            callback()

        threading.Thread(target=watch, name="lifeline", daemon=True).start()

    def progress(self) -> None:
        """Say that a job has ended here."""
        if not self._has_progressed:  # once is enough; a frozen launcher must not be flooded
            self._has_progressed = self._send(_PROGRESS)

    def blameless(self) -> None:
        """Say that this process ends through no fault of its node."""
        self._send(_BLAMELESS)

    def fault(self, text: str) -> None:
        """Say which fault of the node ends this process."""
        self._send(_FAULT + " ".join(text.split())[:_SHOWN_CHARACTERS])

    def useless(self, text: str) -> int:
        """Say why this process does no more, where no store can; return the exit code for it."""
        self.fault(text)
        return USELESS

    def close(self) -> None:
        """Close this end, as this process's death does."""
        self._socket.close()

    def _send(self, message: str) -> bool:
        try:
            self._socket.send(f"{message}\n".encode(), socket.MSG_DONTWAIT)
        except OSError:
            return False  # the launcher is gone, or frozen and does not read
        return True


class ChildLine:
    """The launcher's end of a lifeline; `progress`, `fault`, `is_blameless` are what the child said.

    `is_open` turns false when the child has closed its end, as its death does.
    """

    def __init__(self) -> None:
        self.progress = 0
        self.fault: str | None = None
        self.is_blameless = False
        self.is_open = True
        self._socket, self._child_end = socket.socketpair()
        self._socket.setblocking(False)
        self._unfinished = b""

    @property
    def child_descriptor(self) -> int:
        """What the child is to inherit."""
        return self._child_end.fileno()

    def handed_over(self) -> None:
        """Close this process's copy of the child's end, so that the child's death is seen."""
        self._child_end.close()

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def read(self) -> None:
        """Take in what the child has said since."""
        while self.is_open:
            try:
                received = self._socket.recv(_CHUNK_BYTES)
            except BlockingIOError:
                return
            except OSError:
                received = b""
            self.is_open = bool(received)
            *lines, self._unfinished = (self._unfinished + received).split(b"\n")
            for line in lines:
                self._take(line.decode(errors="replace"))

    def _take(self, message: str) -> None:
        if message == _PROGRESS:
            self.progress += 1
        elif message == _BLAMELESS:
            self.is_blameless = True
        elif message.startswith(_FAULT):
            self.fault = message.removeprefix(_FAULT)

    def close(self) -> None:
        """Close the launcher's end; a child that is still there takes it for the launcher's death."""
        self._child_end.close()
        self._socket.close()
        self.is_open = False
