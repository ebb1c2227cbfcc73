"""Results that were made elsewhere: whole runs that enter the store as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from blox_core.recipe import Recipe
from blox_store.errors import StoreError
from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.database.database import StorePart
from blox_store.store.jobs.rows import is_job
from blox_store.store.results.written import environment_id
from blox_store.store.runs import find_or_make
from blox_store.store.values import JobState, Run

# In the place of what only a result that was made here has.
NO_TOKEN: Final = "ingested"
NO_WORKER: Final = "ingested"
_UNKNOWN_TIME_S: Final = 0.0  # keeps results that are old out of the rate of new ones
_JOBS = schema.jobs.c
_RESULTS = schema.results.c
_COMPARED: Final = (
    "status",
    "epochs",
    "best_epoch",
    "test_top1",
    "test_top5",
    "test_loss",
    "curves_layout",
    "curves",
)


@dataclass(frozen=True, kw_only=True)
class FinishedRow:
    """One result; its fields are columns of the table of results, but for `environment`."""

    arch_index: int
    status: str
    epochs: int
    best_epoch: int | None
    test_top1: int | None
    test_top5: int | None
    test_loss: float | None
    train_time_s: int
    curves_layout: int
    curves: bytes
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A run that was taken in: how many results were new, and how many were there."""

    run: Run
    added: int
    there: int


class FinishedRuns(StorePart):
    """Takes in runs."""

    def take(
        self,
        identity: Mapping[str, Any],
        recipe: Recipe,
        blocks: Iterable[Sequence[FinishedRow]],
        *,
        without_rows: Mapping[JobState, Sequence[int]],
    ) -> Taken:
        """Store all results of a run in one transaction; what is there already has to be equal.

        `without_rows` are jobs that ended without a result. Raises StoreError, and changes nothing,
        if the store has another result of an architecture, or if a worker has one in hand.
        """
        added = there = 0
        with self._database.write() as connection:
            run, _ = find_or_make(connection, identity, recipe)
            taking = _Taking(connection, run)
            for rows in blocks:
                new = taking.take(rows)
                added, there = added + new, there + len(rows) - new
            for state, indices in without_rows.items():
                taking.end_without_rows(state, indices)
        return Taken(run=run, added=added, there=there)


class _Taking:
    """One run that is being taken in."""

    def __init__(self, connection: Connection, run: Run) -> None:
        self._connection = connection
        self._run = run
        self._environments: dict[tuple[str, ...], int] = {}

    def take(self, rows: Sequence[FinishedRow]) -> int:
        """Add results that are not there, and return how many; refuse those that differ."""
        there = self._there(rows)
        for row in rows:
            if row.arch_index in there and not _same(row, there[row.arch_index]):
                raise StoreError(
                    f"{self._run} has another result of architecture {row.arch_index} than the "
                    "release; nothing was changed"
                )
        new = [row for row in rows if row.arch_index not in there]
        self._end_jobs({row.arch_index: (row.status, row.epochs) for row in new})
        if new:
            self._connection.execute(insert(schema.results), [self._values(row) for row in new])
        return len(new)

    def end_without_rows(self, state: JobState, indices: Sequence[int]) -> None:
        """Add ended jobs, unless they are there."""
        known = set(
            self._connection.scalars(select(_JOBS.arch_index).filter_by(run_id=self._run.id))
        )
        self._end_jobs({index: (state.value, 0) for index in indices if index not in known})

    def _there(self, rows: Sequence[FinishedRow]) -> dict[int, Any]:
        indices = [row.arch_index for row in rows]
        found = select(schema.results).where(
            _RESULTS.run_id == self._run.id, _RESULTS.arch_index.between(min(indices), max(indices))
        )
        return {row.arch_index: row for row in self._connection.execute(found)}

    def _end_jobs(self, ended: Mapping[int, tuple[str, int]]) -> None:
        """Let these jobs have ended: new ones, and those that nobody has in hand."""
        if not ended:
            return
        found = (
            select(_JOBS.arch_index, _JOBS.state)
            .where(_JOBS.run_id == self._run.id, _JOBS.arch_index.between(min(ended), max(ended)))
            .with_for_update()
        )
        states = {row.arch_index: row.state for row in self._connection.execute(found)}
        for index in ended.keys() & states.keys():
            if states[index] == JobState.RUNNING.value:
                raise StoreError(
                    f"{self._run}: a worker trains architecture {index}; pause the run by "
                    "'blox pause', wait for it, and start again; nothing was changed"
                )
            state, epochs = ended[index]
            self._connection.execute(
                update(schema.jobs)
                .where(is_job(self._run.id, index))
                .values(state=state, epoch=epochs, error=None, avoid=None, updated_s=now_s())
            )
        new = [
            _job(self._run.id, index, state, epochs)
            for index, (state, epochs) in ended.items()
            if index not in states
        ]
        if new:
            self._connection.execute(insert(schema.jobs), new)

    def _values(self, row: FinishedRow) -> dict[str, Any]:
        values = {
            field.name: getattr(row, field.name)
            for field in fields(FinishedRow)
            if field.name != "environment"
        }
        key = tuple(row.environment.values())
        if key not in self._environments:
            self._environments[key] = environment_id(self._connection, row.environment)
        return values | {
            "run_id": self._run.id,
            "environment_id": self._environments[key],
            "lease_token": NO_TOKEN,
            "worker": NO_WORKER,
            "finished_s": _UNKNOWN_TIME_S,
        }


def _job(run_id: int, index: int, state: str, epochs: int) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "arch_index": index,
        "state": state,
        "priority": 0,
        "attempts": 0,
        "claimed_epoch": 0,
        "epoch": epochs,
        "worker": NO_WORKER,
        "updated_s": _UNKNOWN_TIME_S,
    }


def _same(row: FinishedRow, stored: Any) -> bool:
    """Whether a stored result is what the release has; that has whole seconds."""
    if round(stored.train_time_s) != row.train_time_s:  # half to even, as an export rounds
        return False
    return all(getattr(stored, name) == getattr(row, name) for name in _COMPARED)
