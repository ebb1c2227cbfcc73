"""What a soak has left in the store, held against what an undisturbed run would have left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psycopg

from benchmarks.suite.queue.chaos import Struck
from blox_core.simulation import simulated_result
from blox_core.space import Architecture
from blox_store.store import JobState, ResultRow, Run, Store
from blox_store.store.results.curves import LOSS_DECIMALS, rounded_loss
from tests.support.cluster import CURVES

_DUPLICATED = """
SELECT count(*) FROM
(SELECT 1 FROM results WHERE run_id = %s GROUP BY arch_index HAVING count(*) > 1) AS twice
"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How many jobs were lost, written twice, or ended by another result than undisturbed."""

    lost: int
    duplicated: int
    differing: int
    not_succeeded: int
    charged: int
    failures: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """After a fault: seconds to the next result, and until every worker has written one again."""

    fault: Struck
    next_result_s: float | None
    all_workers_s: float | None


def judge(store: Store, run: Run, database_url: str) -> Verdict:
    """Compare every stored result with the closed form of its simulation."""
    with store.snapshot() as snapshot:
        states = snapshot.job_indices(run.id)
        rows = list(snapshot.result_rows(run.id))
    with psycopg.connect(database_url) as plain:
        (duplicated,) = plain.execute(_DUPLICATED, (run.id,)).fetchone() or (0,)
    jobs = {index for indices in states.values() for index in indices}
    return Verdict(
        lost=len(jobs - {row.arch_index for row in rows}),
        duplicated=duplicated,
        differing=sum(differs(run, row) for row in rows),
        not_succeeded=len(jobs) - len(states[JobState.SUCCEEDED]),
        charged=sum(job.attempts > 0 for job in store.jobs.matching(run.id)),
        failures=store.jobs.failures(run.id),
    )


def differs(run: Run, row: ResultRow) -> bool:
    """Whether a result is not what `assert_as_undisturbed` wants, which takes five times as long."""
    expected = simulated_result(Architecture(row.arch_index), run.training_recipe, run.seed)
    assert expected.test is not None, "simulated trainings have epochs"
    scalars = (
        (row.status, expected.status),
        (row.best_epoch, expected.best_epoch),
        (row.test_top1, expected.test.top1),
        (row.test_top5, expected.test.top5),
        (row.test_loss, rounded_loss(expected.test.loss)),
        (row.train_time_s, expected.train_time_s),
    )
    return any(stored != computed for stored, computed in scalars) or not all(
        np.array_equal(getattr(row, name), np.round(getattr(expected.curves, name), LOSS_DECIMALS))
        for name in CURVES
    )


def recoveries(database_url: str, run: Run, faults: Sequence[Struck]) -> list[Recovery]:
    """Return how long it took to get over each fault."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT worker, finished_s FROM results WHERE run_id = %s ORDER BY finished_s",
            (run.id,),
        ).fetchall()
    by_worker: dict[str, list[float]] = {}
    for worker, finished_s in rows:
        by_worker.setdefault(worker, []).append(finished_s)
    return [_recovery(fault, list(by_worker.values())) for fault in faults]


def _recovery(fault: Struck, finished: Sequence[Sequence[float]]) -> Recovery:
    waits = [_wait_s(fault.ended_s, moments) for moments in finished]
    known = [wait_s for wait_s in waits if wait_s is not None]
    return Recovery(
        fault=fault,
        next_result_s=min(known, default=None),
        all_workers_s=max(known) if known and len(known) == len(waits) else None,
    )


def _wait_s(moment: float, later: Sequence[float]) -> float | None:
    place = int(np.searchsorted(later, moment))
    return later[place] - moment if place < len(later) else None
