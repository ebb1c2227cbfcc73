"""Workers: who there is, how each of them does, and who of them lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, exists, or_, select, update

from blox_core.latency import LATENCY
from blox_store.store import schema
from blox_store.store.database.clock import now_s
from blox_store.store.database.database import StorePart
from blox_store.store.database.stored_text import stored_text
from blox_store.store.database.upsert import upsert
from blox_store.store.values import JobState, WorkerFigures, WorkerState
from blox_store.store.worker_name import host_of

_WORKERS = schema.workers.c
_JOBS = schema.jobs.c
ALIVE_S: Final = 180.0  # who was not seen for so long takes no more jobs
_FIGURES: Final = tuple(field.name for field in fields(WorkerFigures))
GONE_S: Final = 86_400.0  # who was not seen for so long, and said nothing, is of no interest
# Who was stopped is told for a week: nobody may ever register by that name again.
STOPPED_S: Final = 7 * GONE_S


class Workers(StorePart):
    """The workers of a store; those that are not registered are no error and leave no trace."""

    def register(self, name: str, *, device: str, pid: int, run_id: int | None = None) -> None:
        """Add a worker that has just started, in place of any earlier one of its name.

        `run_id` is the run whose jobs it takes; None if it takes those of any.
        """
        fresh = {
            "device": device,
            "pid": pid,
            "serves_run_id": run_id,
            "started_s": now_s(),
            "seen_s": now_s(),
            "faults": 0,
            "fault": None,
            "stopped_reason": None,
            **asdict(WorkerFigures()),
        }
        self._upsert(name, fresh, fresh)

    def seen(self, name: str, figures: WorkerFigures | None = None) -> bool:
        """Show that a worker lives, as its heartbeats do; return whether it is registered.

        What it has measured is kept with it; without `figures` those of before stay.
        """
        measured = {} if figures is None else asdict(figures)
        return self._update(name, seen_s=now_s(), **measured)

    def fault(self, name: str, text: str) -> None:
        """Count a fault that was the node's, not a job's, and keep what it was."""
        self._update(name, faults=_WORKERS.faults + 1, fault=stored_text(text), seen_s=now_s())

    def stop(self, name: str, reason: str) -> None:
        """Keep for the operator why a worker claims no more, even one that never started."""
        stopped = {"stopped_reason": stored_text(reason)}
        self._upsert(
            name, {**stopped, "started_s": now_s(), "seen_s": now_s(), "faults": 0}, stopped
        )

    def leave(self, name: str, *, pid: int) -> None:
        """Forget a worker that has ended as it should; one that was stopped stays to be seen.

        So does one of the same name that another process has registered since.
        """
        with self._database.write() as connection:
            connection.execute(
                delete(schema.workers).where(
                    _WORKERS.name == name,
                    _WORKERS.pid == pid,
                    _WORKERS.stopped_reason.is_(None),
                )
            )

    def living(self, run_id: int) -> list[str]:
        """Return the names of the workers that take jobs of a run and were seen lately."""
        with self._database.read() as connection:
            return living_workers(connection, run_id)

    def all(self) -> list[WorkerState]:
        """Return the workers, each with its running job, by host and name.

        One that vanished is left out after GONE_S seconds: its job has long gone on elsewhere. One
        that was stopped stays, with the reason, for STOPPED_S seconds, or until another one of its
        name registers.
        """
        vanished = now_s() - GONE_S
        stopped = and_(_WORKERS.stopped_reason.is_not(None), _WORKERS.seen_s >= now_s() - STOPPED_S)
        runs = and_(_JOBS.worker == _WORKERS.name, _JOBS.state == JobState.RUNNING.value)
        rows = (
            select(*_state_columns())
            .select_from(schema.workers.outerjoin(schema.jobs, runs))
            .where(or_(stopped, _WORKERS.seen_s >= vanished))
            .order_by(_WORKERS.host, _WORKERS.name, _JOBS.updated_s)
        )
        with self._database.read() as connection:
            found = [_state(row) for row in connection.execute(rows).mappings()]
        # A lease of an earlier process of the name may not have expired yet: the last one counts.
        return list({worker.name: worker for worker in found}.values())

    def _update(self, name: str, **values: Any) -> bool:
        named = update(schema.workers).where(_WORKERS.name == name)
        with self._database.write() as connection:
            return connection.execute(named.values(**values)).rowcount > 0

    def _upsert(self, name: str, new: dict[str, Any], known: dict[str, Any]) -> None:
        with self._database.write() as connection:
            statement = upsert(connection.dialect, schema.workers)
            connection.execute(
                statement.values(name=name, host=host_of(name), **new).on_conflict_do_update(
                    index_elements=[_WORKERS.name], set_=known
                )
            )


def living_workers(connection: Connection, run_id: int) -> list[str]:
    """Return the names of the workers that take jobs of a run and were seen lately.

    Those that take jobs of any run get them from a queue: they count if a scheduler fills it, and
    train alone: who measures is of one run.
    """
    queued_by, runs = schema.schedulers.c, schema.runs.c
    trains = exists().where(runs.id == run_id, runs.trainer != LATENCY)
    is_scheduled = exists().where(
        queued_by.run_id == run_id, queued_by.until_s >= now_s() - ALIVE_S
    )
    rows = select(_WORKERS.name).where(
        _WORKERS.stopped_reason.is_(None),
        _WORKERS.seen_s >= now_s() - ALIVE_S,
        or_(
            _WORKERS.serves_run_id == run_id,
            and_(_WORKERS.serves_run_id.is_(None), is_scheduled, trains),
        ),
    )
    return list(connection.scalars(rows))


def _state(row: Mapping[Any, Any]) -> WorkerState:
    values = dict(row)
    figures = WorkerFigures(**{name: values.pop(name) for name in _FIGURES})
    return WorkerState(**values, figures=figures)


def _state_columns() -> list[Any]:
    return [
        *(_WORKERS[name] for name in ("name", "host", "device", "pid")),
        (now_s() - _WORKERS.started_s).label("up_s"),
        (now_s() - _WORKERS.seen_s).label("seen_ago_s"),
        *(_WORKERS[name] for name in ("faults", "fault", "stopped_reason")),
        *(_WORKERS[name] for name in _FIGURES),
        *(_JOBS[name] for name in ("run_id", "arch_index", "epoch")),
    ]
