"""The checkpoint files of a job: each lease writes its own, whoever holds the job reads all."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.checkpoint.writer import CheckpointWriter
from blox_core.errors import CheckpointError
from blox_core.result.epoch_report import EpochReport, Saveable
from blox_store.store import Lease

logger = logging.getLogger(__name__)

_SHOWN_DIGITS: Final = 16  # of a store's identity: enough to tell the stores of a lab apart


def job_stem(store_id: str, run_id: int, arch_index: int) -> str:
    """Return how the names of all files of a job begin.

    Every store has a run 1, and stores may share a folder. Which training it is, and so whether
    a job may go on from it, is checked inside the file.
    """
    return f"{store_id[:_SHOWN_DIGITS]}-r{run_id}-a{arch_index:05d}"


def jobs_with_checkpoints(folder: Path, store_id: str) -> set[tuple[int, int]]:
    """Return the jobs of a store, (run id, arch index), that `drop_checkpoints` has files of."""
    store = re.escape(store_id[:_SHOWN_DIGITS])
    name = re.compile(rf"(?:\.(?=.*\.tmp$)|(?=.*\.checkpoint$)){store}-r(\d+)-a(\d+)-")
    found = (name.match(path.name) for path in folder.glob("*"))
    return {(int(match[1]), int(match[2])) for match in found if match is not None}


def drop_checkpoints(folder: Path, stem: str) -> None:
    """Delete all checkpoints of a job; only for the one who holds it, or has ended it.

    With them goes what a worker that was killed while it wrote has left.
    """
    for path in (*_checkpoint_files(folder, stem), *folder.glob(f".{stem}-*.tmp")):
        path.unlink(missing_ok=True)


def checkpoint_path(folder: Path, store_id: str, lease: Lease) -> Path:
    """Return the file that a lease writes its checkpoints to."""
    stem = job_stem(store_id, lease.run_id, lease.arch_index)
    return folder / f"{stem}-{lease.token}.checkpoint"


class JobCheckpoints:
    """The checkpoints of one job of a store, in a folder that is made if it is not there.

    `load` reads one, or raises CheckpointError; `every_s` is the least time between two of them.
    They are written beside the training, which goes on in a `with` block: after it nothing is
    written unless told to.
    """

    def __init__(
        self,
        folder: Path,
        store_id: str,
        lease: Lease,
        identity: CheckpointIdentity,
        *,
        load: Callable[[Path, CheckpointIdentity], Saveable],
        every_s: float,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._identity = identity
        self._load = load
        self._stem = job_stem(store_id, lease.run_id, lease.arch_index)
        self._path = checkpoint_path(folder, store_id, lease)
        self._writer = CheckpointWriter(self._path)
        self._every_s = every_s
        self._begun_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._writer.stop()

    def latest(self) -> Saveable | None:
        """Return the checkpoint of the most epochs, whichever lease wrote it, None without any.

        One that is corrupt or of another training is reported and passed over.
        """
        best: Saveable | None = None
        for path in _checkpoint_files(self._folder, self._stem):
            try:
                found = self._load(path, self._identity)
            except CheckpointError as error:
                logger.warning("%s", error)
                continue
            if best is None or found.epoch > best.epoch:
                best = found
        return best

    def after_epoch(self, report: EpochReport) -> None:
        """Have a checkpoint written if the last one is old enough and the training goes on.

        Raises what an earlier one has met, unless the training is over: its result comes first.
        """
        if report.epoch == report.epochs:
            return
        self._writer.check()
        if time.monotonic() - self._begun_at >= self._every_s:
            self._begun_at = time.monotonic()
            self._writer.offer(report.checkpoint)

    def save(self, checkpoint: Saveable) -> None:
        """Write a checkpoint here and now, if this lease's last one is older. Raises OSError."""
        self._writer.save(checkpoint)

    def check(self) -> None:
        """Raise what a checkpoint has met that was written beside the training."""
        self._writer.check()

    def drop_own(self) -> None:
        """Delete this lease's checkpoint, which is no use to anybody once the job has ended."""
        self._writer.stop()
        self._path.unlink(missing_ok=True)

    def drop(self) -> None:
        """Delete all checkpoints of the job; only for the one who holds it."""
        self._writer.stop()
        drop_checkpoints(self._folder, self._stem)


def _checkpoint_files(folder: Path, stem: str) -> list[Path]:
    return sorted(folder.glob(f"{stem}-*.checkpoint"))
