"""Results on disk: kept while the store is away, written when it is back, by whoever comes first.

A file holds a result with the lease it was made under and the identity of its store, so that
writing it twice, or from another process of the node, does no harm.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from blox_core.atomic_file import replace_file
from blox_core.result import TrainingResult
from blox_core.result.environment import Environment
from blox_core.result.metrics import Curves, Score
from blox_store.errors import LeaseLost, StoreError, StoreUnavailable
from blox_store.store import Lease, Store
from blox_store.store.results.curves import COUNTS, LOSSES
from blox_worker.on_disk.checkpoints import (
    checkpoint_path,
    drop_checkpoints,
    job_stem,
    jobs_with_checkpoints,
)

logger = logging.getLogger(__name__)

_FORMAT: Final = "blox result 1"


@dataclass(frozen=True, kw_only=True)
class KeptResult:
    """A result that has yet to be written, and its file."""

    path: Path
    lease: Lease
    result: TrainingResult


class Outbox:
    """The results of one store that are kept in a folder."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store

    def keep(self, lease: Lease, result: TrainingResult) -> Path:
        """Put a result on disk. Raises OSError."""
        path = self._folder / f"{self._stem(lease)}-{lease.token}.result"
        content = {
            "format": _FORMAT,
            "store": self._store.id,
            "lease": asdict(lease),
            "result": _plain(result),
        }
        replace_file(path, [json.dumps(content).encode()])
        return path

    def flush(self) -> int:
        """Write all kept results of this store and return how many were accepted.

        One that the store does not want any more, because another worker has the job or it has
        ended, is deleted; one that the store refuses is reported and left for the next time; one
        that cannot be read is reported and put aside. Raises StoreUnavailable if the store is
        away; what is not written yet is then kept.
        """
        return sum(self._write(kept) for kept in self._kept())

    def _write(self, kept: KeptResult) -> bool:
        try:
            self._store.results.complete(kept.lease, kept.result)
        except LeaseLost as error:
            logger.warning("kept result %s is not wanted: %s", kept.path.name, error)
            if self._store.jobs.has_ended(kept.lease.run_id, kept.lease.arch_index):
                checkpoint_path(self._folder, self._store.id, kept.lease).unlink(missing_ok=True)
            kept.path.unlink(missing_ok=True)
            return False
        except StoreUnavailable:
            raise
        except StoreError as error:  # no reason to keep this worker from other jobs
            logger.error("kept result %s cannot be written: %s", kept.path.name, error)
            return False
        drop_checkpoints(self._folder, self._stem(kept.lease))
        kept.path.unlink(missing_ok=True)
        logger.info("kept result %s was written", kept.path.name)
        return True

    def _stem(self, lease: Lease) -> str:
        return job_stem(self._store.id, lease.run_id, lease.arch_index)

    def _kept(self) -> list[KeptResult]:
        found = (_read(path) for path in sorted(self._folder.glob("*.result")))
        return [kept for store_id, kept in filter(None, found) if store_id == self._store.id]


def clear_leftovers(folder: Path, store: Store) -> None:
    """Write the results that are kept on disk, and delete the checkpoints of trained jobs.

    A worker killed after it wrote a result, or woken after another did, leaves some that nobody
    else would delete. Those of jobs without a result stay: they can go on, also after a retry.
    Raises StoreError and OSError.
    """
    Outbox(folder, store).flush()
    for run_id, arch_index in store.results.among(jobs_with_checkpoints(folder, store.id)):
        drop_checkpoints(folder, job_stem(store.id, run_id, arch_index))


def _read(path: Path) -> tuple[str, KeptResult] | None:
    """Return the store's identity and the result in a file, None if there is none in it."""
    try:
        content = json.loads(path.read_bytes())
        _check_format(content)
        kept = KeptResult(
            path=path,
            lease=Lease(**content["lease"]),
            result=_restored(content["result"]),
        )
        return content["store"], kept
    except FileNotFoundError:
        return None  # another process has just written it
    except (ValueError, KeyError, TypeError) as error:
        aside = path.with_suffix(".unreadable")
        logger.error("kept result %s cannot be read (%s); put aside as %s", path, error, aside.name)
        with suppress(FileNotFoundError):  # another process has put it aside
            path.replace(aside)
        return None


def _check_format(content: Mapping[str, Any]) -> None:
    if content["format"] != _FORMAT:
        raise ValueError(f"its format is {content['format']!r}, {_FORMAT!r} is allowed")


def _plain(result: TrainingResult) -> dict[str, Any]:
    curves = {field.name: getattr(result.curves, field.name).tolist() for field in fields(Curves)}
    return asdict(result) | {"curves": curves}


def _restored(content: Mapping[str, Any]) -> TrainingResult:
    kept = content["curves"]
    curves: dict[str, Any] = {name: np.array(kept[name], np.int64) for name in COUNTS}
    curves |= {name: np.array(kept[name], np.float64) for name in LOSSES}
    test = content["test"]
    rest = {
        "curves": Curves(**curves),
        "test": None if test is None else Score(**test),
        "environment": Environment(**content["environment"]),
    }
    return TrainingResult(**{**content, **rest})
