"""The checkpoint files of a job: each lease writes its own, whoever holds the job reads all."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from blox_core.checkpoint import Checkpoint, CheckpointIdentity, load_checkpoint
from blox_core.errors import CheckpointError
from blox_core.trainer import EpochReport
from blox_store.store import Lease

logger = logging.getLogger(__name__)

_SHOWN_DIGITS: Final = 16  # of a recipe's fingerprint; the whole is checked inside the file


class JobCheckpoints:
    """The checkpoints of one job, in a folder that is made if it is not there.

    `every_s` is the least time between two of them.
    """

    def __init__(
        self, folder: Path, lease: Lease, identity: CheckpointIdentity, *, every_s: float
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._identity = identity
        # Not the run's number: every store has a run 1, and stores may share a folder.
        training = f"{identity.recipe_fingerprint[:_SHOWN_DIGITS]}-s{identity.seed}"
        self._stem = f"{training}-a{lease.arch_index:05d}"
        self._path = folder / f"{self._stem}-{lease.token}.checkpoint"
        self._every_s = every_s
        self._saved_at = time.monotonic()

    def latest(self) -> Checkpoint | None:
        """Return the checkpoint of the most epochs, whichever lease wrote it, None without any.

        One that is corrupt or of another training is reported and passed over.
        """
        best: Checkpoint | None = None
        for path in self._files():
            try:
                found = load_checkpoint(path, self._identity)
            except CheckpointError as error:
                logger.warning("%s", error)
                continue
            if best is None or found.epoch > best.epoch:
                best = found
        return best

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in place of this lease's last one."""
        checkpoint.save(self._path)
        self._saved_at = time.monotonic()

    def after_epoch(self, report: EpochReport) -> None:
        """Write a checkpoint if the last one is old enough and the training goes on."""
        due = time.monotonic() - self._saved_at >= self._every_s
        if due and report.epoch < report.epochs:
            self.save(report.checkpoint())

    def drop(self) -> None:
        """Delete all checkpoints of the job; only for the one who holds it."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._stem}-*.checkpoint"))
