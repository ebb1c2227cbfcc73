"""A whole run through real Redis, Celery and PostgreSQL while everything breaks now and then."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from rich.console import Console

from benchmarks.suite.queue.chaos import FAULTS, Struck, drawn, struck
from benchmarks.suite.queue.status_check import Look, look, look_at_still
from benchmarks.suite.queue.verdict import Recovery, Verdict, judge, recoveries
from benchmarks.suite.queue.world import World
from benchmarks.suite.report.report import Row
from blox_store.store import JobState
from tests.support import cluster as clusters
from tests.support.servers import own_postgres, own_redis

EPOCHS: Final = 3
LAUNCHERS: Final = 2
_LOOKS: Final = (look, look_at_still)
_LOOK_AFTER: Final = 4  # faults
_TIMEOUT_S: Final = 4 * 3600


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How large a soak is: how often a fault on average, and how many at most, if any number."""

    jobs: int
    workers: int
    seed: int
    every_s: float
    faults: int | None


@dataclass(frozen=True, kw_only=True)
class _Course:
    """What happened until all jobs had ended."""

    seconds: float
    restarts: int
    faults: list[Struck]
    looks: list[Look] = field(default_factory=list)


def measure(plan: Plan, console: Console) -> tuple[list[Row], dict[str, Any]]:
    """Let a run go through; return the rows and all that is to be kept."""
    console.print(f"soak: {plan}")
    with (
        tempfile.TemporaryDirectory(prefix="blox-soak-") as folder,
        own_postgres("fsync=on") as postgres,
        own_redis() as redis,
        clusters.cluster(Path(folder), postgres, redis, postgres.url) as cluster,
    ):
        run = cluster.make_run(plan.jobs, epochs=EPOCHS, seed=plan.seed)
        world = World(cluster, run, _launchers(plan.workers))
        course = _live(world, plan, console)
        cluster.stop()
        verdict = judge(cluster.store, run, cluster.database_url)
        recovered = recoveries(cluster.database_url, run, course.faults)
        files = len(list(cluster.checkpoints.glob("*")))
        given_up = sum(worker.stopped_reason is not None for worker in cluster.store.workers.all())
    rows = [
        *_verdict_rows(verdict, course, files, given_up),
        *_course_rows(plan, course),
        *_fault_rows(recovered),
    ]
    details = {
        "plan": asdict(plan),
        "verdict": asdict(verdict),
        "looks": [asdict(one) | {"agrees": one.agrees} for one in course.looks],
        "recoveries": [asdict(recovery) for recovery in recovered],
    }
    return rows, details


def _launchers(workers: int) -> list[str]:
    """Return the made-up GPUs of each launcher."""
    numbers = [str(number) for number in range(workers)]
    shares = (numbers[part::LAUNCHERS] for part in range(LAUNCHERS))
    return [",".join(share) for share in shares if share]


def _live(world: World, plan: Plan, console: Console) -> _Course:
    """Let faults happen until all jobs have ended."""
    random = Random(plan.seed)
    begun = time.monotonic()
    faults: list[Struck] = []
    looks: list[Look] = []
    for fault in islice(drawn(random, FAULTS), plan.faults):
        if world.wait(random.expovariate(1 / plan.every_s), lambda: world.has_ended):
            break
        faults.append(struck(fault, world, random))
        if len(faults) % _LOOK_AFTER == 1:
            looks.append(_LOOKS[len(looks) % len(_LOOKS)](world))
        _say(world, faults[-1], time.monotonic() - begun, console)
    assert world.wait(_TIMEOUT_S, lambda: world.has_ended), "the run does not end"
    return _Course(
        seconds=time.monotonic() - begun, restarts=world.restarts, faults=faults, looks=looks
    )


def _say(world: World, fault: Struck, after_s: float, console: Console) -> None:
    done = world.cluster.store.jobs.counts(world.run.id)[JobState.SUCCEEDED]
    console.print(
        f"{after_s:7.1f} s  {fault.name} for {fault.ended_s - fault.begun_s:.1f} s; "
        f"{done:,} jobs are done ({done / after_s:.1f}/s)"
    )


def _verdict_rows(verdict: Verdict, course: _Course, files: int, given_up: int) -> list[Row]:
    allowed = sum(fault.charges for fault in course.faults)
    disagreeing = sum(not one.agrees for one in course.looks)
    failures = sum(verdict.failures.values())
    return [
        _row("lost jobs", verdict.lost, bound=0),
        _row("duplicated results", verdict.duplicated, bound=0),
        _row("differing results", verdict.differing, bound=0),
        _row("jobs that did not succeed", verdict.not_succeeded, bound=0),
        _row("jobs charged with an attempt", verdict.charged, bound=allowed),
        _row("attempts in all", failures, bound=allowed),
        _row("workers given up", given_up, bound=0),
        _row("files left behind", files, bound=0),
        _row("looks at blox status", len(course.looks)),
        _row("looks that disagree with SQL", disagreeing, bound=0),
    ]


def _course_rows(plan: Plan, course: _Course) -> list[Row]:
    return [
        _row("jobs", plan.jobs),
        _row("duration", course.seconds, "s"),
        _row("speed, faults included", plan.jobs / course.seconds, "jobs/s"),
        _row("launchers and schedulers started again", course.restarts),
    ]


def _fault_rows(recovered: Sequence[Recovery]) -> list[Row]:
    counts = Counter(recovery.fault.name for recovery in recovered)
    rows = [_row("faults", len(recovered))]
    for name in sorted(counts):
        of_kind = [recovery for recovery in recovered if recovery.fault.name == name]
        rows.append(_row(f"fault: {name}", counts[name]))
        rows += _recovery_rows(of_kind, name)
    return [*rows, *_recovery_rows(recovered, "all faults")]


def _recovery_rows(recovered: Sequence[Recovery], name: str) -> Iterator[Row]:
    for attribute, what in (
        ("next_result_s", "next result"),
        ("all_workers_s", "every worker's next result"),
    ):
        known = [getattr(one, attribute) for one in recovered]
        times = [time_s for time_s in known if time_s is not None]
        if times:
            yield _row(f"{name}: {what}, p50", float(np.median(times)), "s")
            yield _row(f"{name}: {what}, most", max(times), "s")


def _row(name: str, value: float, unit: str = "", bound: float | None = None) -> Row:
    return Row(part="soak", name=name, value=value, unit=unit, bound=bound)
