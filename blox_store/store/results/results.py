"""Results of trainings, each written once under a lease."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from math import isnan, nan
from typing import Any, Final

from sqlalchemy import Row, select, tuple_

from blox_core.result import TrainingResult
from blox_store.store import schema
from blox_store.store.database.upsert import chunks
from blox_store.store.jobs.leases import finish
from blox_store.store.results.curves import COUNTS, LOSSES, pack_curves, rounded_loss, unpack_curves
from blox_store.store.results.written import Written, environment_id
from blox_store.store.values import JobState, Lease, ResultRow

_JOBS_PER_STATEMENT: Final = 500
_KEY: Final = (schema.results.c.run_id, schema.results.c.arch_index)


class Results(Written):
    """The results of a store."""

    _table = schema.results

    def complete(self, lease: Lease, result: TrainingResult) -> None:
        """Write a result and end its job, in one transaction; losses are rounded to 6 decimals.

        Writing the same result again is a success, for a connection can drop during COMMIT. A
        result whose lease was reaped is accepted if nobody else holds the job, it has not ended,
        and the run is the one that it was trained for. Raises LeaseLost otherwise, and then writes
        nothing.
        """
        with self._database.write() as connection:
            end = finish(
                lease,
                state=JobState(result.status),
                epoch=len(result.curves),
                recipe_fingerprint=result.recipe_fingerprint,
                seed=result.seed,
            )
            if self._end_job(connection, end, lease):
                environment = environment_id(connection, asdict(result.environment))
                self._insert(connection, lease, {"environment_id": environment, **_row(result)})

    def among(self, jobs: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return those of some jobs, (run id, arch index), that have a result."""
        found: list[tuple[int, int]] = []
        with self._database.read() as connection:
            for chunk in chunks(sorted(jobs), _JOBS_PER_STATEMENT):
                rows = select(*_KEY).where(tuple_(*_KEY).in_(chunk))
                found += [(row.run_id, row.arch_index) for row in connection.execute(rows)]
        return found


def _row(result: TrainingResult) -> dict[str, Any]:
    curves = pack_curves(
        [getattr(result.curves, name) for name in COUNTS],
        [getattr(result.curves, name) for name in LOSSES],
    )
    test = result.test
    return {
        "status": result.status,
        "epochs": len(result.curves),
        "best_epoch": result.best_epoch,
        "test_top1": None if test is None else test.top1,
        "test_top5": None if test is None else test.top5,
        "test_loss": None if test is None or isnan(test.loss) else rounded_loss(test.loss),
        "train_time_s": result.train_time_s,
        "curves_layout": curves.layout,
        "curves": curves.blob,
    }


def result_of(row: Row[Any]) -> ResultRow:
    """Return the result of a row."""
    counts, losses = unpack_curves(row.curves_layout, row.curves, row.epochs)
    curves = dict(zip((*COUNTS, *LOSSES), (*counts, *losses), strict=True))
    facts = {name: getattr(row, name) for name in ResultRow.__dataclass_fields__.keys() - curves}
    if row.test_loss is None and row.test_top1 is not None:
        facts["test_loss"] = nan
    return ResultRow(**facts, **curves)
