"""Runs: making one, adding its jobs, finding it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select, text, update

from blox_core.errors import LatencyError, RecipeError
from blox_core.latency import LATENCY, LatencyProtocol
from blox_core.recipe import Recipe
from blox_store.errors import RunNotFound
from blox_store.store import schema
from blox_store.store.database.clock import database_time, now_s
from blox_store.store.database.database import StorePart
from blox_store.store.database.upsert import insert_new_numbers, insert_or_ignore
from blox_store.store.values import ForeignRecipe, JobState, MadeRun, Run


class Runs(StorePart):
    """The runs of a store."""

    def create(
        self,
        *,
        dataset: str,
        recipe: Recipe | LatencyProtocol,
        seed: int,
        trainer: str,
        trainer_revision: int,
        indices: Iterable[int] = (),
        priority: int = 0,
    ) -> MadeRun:
        """Make the run with this identity, or find it, and add pending jobs of `indices`.

        Both are written together: whatever kills the process, no run is left without its jobs.
        """
        identity = {
            "dataset": dataset,
            "seed": seed,
            "trainer": trainer,
            "trainer_revision": trainer_revision,
        }
        with self._database.write() as connection:
            run, is_new = find_or_make(connection, identity, recipe)
            added = _add_jobs(connection, run.id, indices, priority)
            return MadeRun(run=run, is_new=is_new, jobs_added=added)

    def add_jobs(self, run_id: int, indices: Iterable[int], *, priority: int = 0) -> int:
        """Add pending jobs of these arch indices; return how many the run did not have yet."""
        with self._database.write() as connection:
            return _add_jobs(connection, run_id, indices, priority)

    def all(self) -> list[Run]:
        """Return all runs, the oldest first."""
        with self._database.read() as connection:
            return all_runs(connection)

    def find(
        self, run_id: int | None = None, *, seed: int | None = None, measured: str | None = None
    ) -> Run:
        """Return the only run that fits; raise RunNotFound, listing the candidates, otherwise.

        One that measures latencies fits if its id or its device, `measured`, is asked for.
        """
        every = self.all()
        fitting = [run for run in every if _fits(run, run_id, seed, measured)]
        if len(fitting) == 1:
            return fitting[0]
        asked = " and ".join(
            f"{name} {value}"
            for name, value in (("id", run_id), ("seed", seed), ("device name", measured))
            if value is not None
        )
        wanted = f"run with {asked}" if asked else "run"
        if measured is not None and not fitting:
            raise RunNotFound(
                f"no {wanted}; make one by 'blox init-latency --device-name {measured}'"
            )
        if not every:
            raise RunNotFound("the store has no run; make one by 'blox init'")
        if not fitting:
            raise RunNotFound(f"no {wanted}; the store has {_listed(every)}")
        if measured is not None:
            raise RunNotFound(
                f"several runs measure on {measured}, where one is allowed: {_listed(fitting)}; "
                "begin anew by 'blox init-latency' with another --device-name"
            )
        raise RunNotFound(f"several runs fit, choose one by --run ID: {_listed(fitting)}")

    def set_paused(self, run_id: int, paused: bool) -> None:
        """Pause a run, so that none of its jobs can be claimed, or let it go on."""
        with self._database.write() as connection:
            connection.execute(update(schema.runs).filter_by(id=run_id).values(paused=paused))


def all_runs(connection: Connection) -> list[Run]:
    """Return all runs, the oldest first, in the transaction."""
    rows = connection.execute(select(schema.runs).order_by(schema.runs.c.id)).mappings()
    return [_run(row) for row in rows]


def find_or_make(
    connection: Connection, others: Mapping[str, Any], recipe: Recipe | LatencyProtocol
) -> tuple[Run, bool]:
    """Return the run with this identity and whether it was made just now, in the transaction.

    `others` are what identifies it besides the recipe.
    """
    identity = {**others, "recipe_fingerprint": recipe.fingerprint}
    known = select(schema.runs).filter_by(**identity)
    if (row := connection.execute(known).mappings().first()) is not None:
        return _run(row), False  # an insert that is ignored would still use a number up
    made = connection.execute(
        insert_or_ignore(connection.dialect, schema.runs)
        .values(recipe=recipe.to_dict(), paused=False, created_s=now_s(), **identity)
        .returning(schema.runs.c.id)
    ).first()
    return _run(connection.execute(known).mappings().one()), made is not None


def _add_jobs(connection: Connection, run_id: int, indices: Iterable[int], priority: int) -> int:
    wanted = sorted(set(indices))
    if not wanted:
        return 0
    added = insert_new_numbers(
        connection,
        schema.jobs,
        {"arch_index": wanted},
        run_id=run_id,
        priority=priority,
        updated_s=database_time(connection),
        **_NEW_JOB,
    )
    if connection.dialect.name == "postgresql":
        # PostgreSQL would do so in a minute; until then it takes all indexes for equal,
        # and marking 1,000 of 91,125 jobs as queued takes 1.3 s instead of 0.03 s.
        connection.execute(text("ANALYZE jobs"))
    return added


def _fits(run: Run, run_id: int | None, seed: int | None, measured: str | None) -> bool:
    if run_id is not None and run.id != run_id:
        return False
    if measured is not None:
        return run.measures and run.dataset == measured
    return seed in (None, run.seed) and (run_id is not None or not run.measures)


_NEW_JOB: Final = {
    "state": JobState.PENDING.value,
    "attempts": 0,
    "claimed_epoch": 0,
    "epoch": 0,
}


def _run(row: RowMapping) -> Run:
    facts = {name: row[name] for name in Run.__dataclass_fields__}
    return Run(**{**facts, "recipe": _recipe(row)})


def _recipe(row: RowMapping) -> Recipe | LatencyProtocol | ForeignRecipe:
    values = row["recipe"]
    try:
        return (LatencyProtocol if row["trainer"] == LATENCY else Recipe).from_dict(values)
    except (RecipeError, LatencyError) as error:
        return ForeignRecipe(
            values=values if isinstance(values, Mapping) else {},
            fault=f"run {row['id']}: {error}; use the version of Blox that made it",
        )


def _listed(runs: list[Run]) -> str:
    return "; ".join(map(str, runs))
