"""Checkpoints written beside the training that makes them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from blox_core.result.epoch_report import Saveable

logger = logging.getLogger(__name__)


class CheckpointWriter:
    """Writes the checkpoints of one training to one file, in a thread, one at a time.

    While one is written the latest of those that come waits; earlier ones are dropped. The thread
    ends when nothing waits. The writer's own methods are for the training's thread alone; leaving
    its `with` block stops it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # of the next two
        self._thread: threading.Thread | None = None
        self._waiting: Callable[[], Saveable] | None = None
        self._written_epoch = 0
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def offer(self, checkpoint: Callable[[], Saveable]) -> None:
        """Have a checkpoint made and written, and return at once.

        Raises what an earlier one has met.
        """
        self.check()
        with self._lock:
            if self._thread is not None:
                self._waiting = checkpoint
                return
            self._thread = threading.Thread(
                target=self._write_all, args=(checkpoint,), name="checkpoint", daemon=True
            )
            self._thread.start()

    def save(self, checkpoint: Saveable) -> None:
        """Stop, and write a checkpoint here and now unless one as late is in the file. Raises OSError.

        What earlier ones have met counts no more.
        """
        self.stop()
        self._error = None
        if checkpoint.epoch > self._written_epoch:
            self._write(checkpoint)

    def stop(self) -> None:
        """Drop what waits, and return when nothing is being written any more."""
        with self._lock:
            self._waiting, thread = None, self._thread
        if thread is not None:
            thread.join()

    def check(self) -> None:
        """Raise what a checkpoint has met since this was last asked."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _write_all(self, first: Callable[[], Saveable]) -> None:
        checkpoint: Callable[[], Saveable] | None = first
        while checkpoint is not None:
            try:
                self._write(checkpoint())
            except Exception as error:  # noqa: BLE001 - it is raised in the training's thread
                logger.warning("checkpoint %s was not written: %s", self._path, error)
                self._error = error
            checkpoint = self._next()

    def _next(self) -> Callable[[], Saveable] | None:
        """Take what waits; if nothing does, this thread is no more."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
            if waiting is None:
                self._thread = None
            return waiting

    def _write(self, checkpoint: Saveable) -> None:
        checkpoint.save(self._path)
        self._written_epoch = checkpoint.epoch
