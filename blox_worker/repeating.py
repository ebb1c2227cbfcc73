"""A thread that does something again and again until its block ends."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self


class Repeating(ABC):
    """Takes a turn after every `every_s` seconds within its `with` block, in a thread of its own.

    A turn may change `_every_s`, and end it all by setting `_done`.
    """

    def __init__(self, name: str, every_s: float) -> None:
        self._every_s = every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    @abstractmethod
    def _take_turn(self) -> None:
        """Do once what is to be repeated; what it raises ends the thread."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._done.set()
        self._thread.join()

    def _repeat(self) -> None:
        while not self._done.wait(self._every_s):
            self._take_turn()
