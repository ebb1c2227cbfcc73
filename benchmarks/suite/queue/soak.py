"""A whole run through real Redis, Celery and PostgreSQL while everything breaks now and then."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from benchmarks.suite.report.benchmark import Found, say
from benchmarks.suite.report.row import Row
from blox_store.store import JobState
from tests.support import cluster as clusters
from tests.support.chaos import FAULTS, Recovery, Struck, drawn, recoveries, struck
from tests.support.servers import own_postgres, own_redis
from tests.support.tended import Look, TendedCluster, look, look_at_still

EPOCHS: Final = 3
_LOOKS: Final = (look, look_at_still)
_LOOK_AFTER: Final = 4  # faults
_SEEDS: Final = 1_000_000
_TIMEOUT_S: Final = 4 * 3600
# The jobs that a fault may be charged to are those that had no epoch to show.
_CHARGED: Final = ("jobs charged with an attempt", "attempts in all")


def measure(
    jobs: int, workers: int, seed: int | None, fault_every: float, most_faults: int | None
) -> Found:
    """Work off a run; return the rows and all that is to be kept."""
    plan = {"jobs": jobs, "workers": workers, "fault_every": fault_every, "faults": most_faults}
    plan["seed"] = seed = secrets.randbelow(_SEEDS) if seed is None else seed
    say("soak: " + ", ".join(f"{name}={value}" for name, value in plan.items()))
    with (
        tempfile.TemporaryDirectory(prefix="blox-soak-") as folder,
        own_postgres("fsync=on") as postgres,
        own_redis() as redis,
        clusters.cluster(Path(folder), postgres, redis, postgres.url) as cluster,
    ):
        run = cluster.make_run(jobs, epochs=EPOCHS, seed=seed)
        tended = TendedCluster(cluster, run, workers)
        begun = time.monotonic()
        faults, looks = _live(tended, Random(seed), fault_every, most_faults)
        seconds = time.monotonic() - begun
        cluster.stop()
        losses = cluster.losses(run)
        recovered = recoveries(cluster, run, faults)
        failures = cluster.store.jobs.failures(run.id)
    rows = [
        *_loss_rows(losses, faults, looks),
        Row("jobs", [jobs]),
        Row("duration", [seconds], "s"),
        Row("speed, faults included", [jobs / seconds], "jobs/s"),
        Row("launchers and schedulers started again", [tended.restarts]),
        *_fault_rows(recovered),
    ]
    return rows, {
        "plan": plan,
        "failures": failures,
        "looks": [asdict(one) | {"agrees": one.agrees} for one in looks],
        "recoveries": [asdict(recovery) for recovery in recovered],
    }


def _live(
    tended: TendedCluster, random: Random, fault_every: float, most: int | None
) -> tuple[list[Struck], list[Look]]:
    """Make faults until all jobs have ended."""
    begun = time.monotonic()
    faults: list[Struck] = []
    looks: list[Look] = []
    for fault in islice(drawn(random, FAULTS), most):
        if tended.wait(random.expovariate(1 / fault_every), lambda: tended.has_ended):
            break
        faults.append(struck(fault, tended, random))
        if len(faults) % _LOOK_AFTER == 1:
            looks.append(_LOOKS[len(looks) % len(_LOOKS)](tended))
        done = tended.cluster.store.jobs.counts(tended.run.id)[JobState.SUCCEEDED]
        after_s, took_s = time.monotonic() - begun, faults[-1].ended_s - faults[-1].begun_s
        words = f"{done:,} jobs are done ({done / after_s:.1f}/s)"
        say(f"{after_s:7.1f} s  {fault.name} for {took_s:.1f} s; {words}")
    assert tended.wait(_TIMEOUT_S, lambda: tended.has_ended), "the run does not end"
    return faults, looks


def _loss_rows(
    losses: Mapping[str, int], faults: Sequence[Struck], looks: Sequence[Look]
) -> Iterator[Row]:
    allowed = sum(fault.charges for fault in faults)
    for name, count in losses.items():
        yield Row(name, [count], at_most=allowed if name in _CHARGED else 0)
    yield Row("looks at blox status", [len(looks)])
    disagreeing = sum(not one.agrees for one in looks)
    yield Row("looks that disagree with SQL", [disagreeing], at_most=0)


def _fault_rows(recovered: Sequence[Recovery]) -> Iterator[Row]:
    yield Row("faults", [len(recovered)])
    for name in sorted({recovery.fault.name for recovery in recovered}):
        of_kind = [recovery for recovery in recovered if recovery.fault.name == name]
        yield Row(f"fault: {name}", [len(of_kind)])
        yield from _recovery_rows(of_kind, name)
    yield from _recovery_rows(recovered, "all faults")


def _recovery_rows(recovered: Sequence[Recovery], name: str) -> Iterator[Row]:
    for what, waits_s in (
        ("next result", [one.next_result_s for one in recovered]),
        ("every worker's next result", [one.all_workers_s for one in recovered]),
    ):
        known_s = [wait_s for wait_s in waits_s if wait_s is not None]
        if known_s:
            yield Row(f"{name}: {what}, p50", [median(known_s)], "s")
            yield Row(f"{name}: {what}, most", [max(known_s)], "s")
