"""Random faults of a cluster, from a seed: what is done, how often, and what it may cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from random import Random
from typing import Any, Final

import numpy as np
import psutil
import psycopg

from blox_store.store import Run
from tests.support import faults
from tests.support.cluster import Cluster
from tests.support.tended import LEASE_S, TendedCluster

_REDELIVERIES: Final = 3
_FINISHED: Final = """
SELECT worker, finished_s FROM results WHERE run_id = %s ORDER BY worker, finished_s
"""

# What lets a fault happen and returns when it is over: how many jobs may be charged with an attempt
# for it, because they lost their worker before it had reported an epoch.
Strike = Callable[[TendedCluster, Random], int]


@dataclass(frozen=True)
class Fault:
    """Something that can happen; `weight` says how often it is drawn."""

    name: str
    weight: int
    strike: Strike


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A fault that has happened, in seconds since the Unix epoch."""

    name: str
    begun_s: float
    ended_s: float
    charges: int


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """After a fault: seconds to the next result, and until every worker has written one again."""

    fault: Struck
    next_result_s: float | None
    all_workers_s: float | None


def drawn(random: Random, faults: Sequence[Fault]) -> Iterator[Fault]:
    """Yield faults without end: each once in some order, then by their weights."""
    yield from random.sample(faults, len(faults))
    while True:
        yield from random.choices(faults, [fault.weight for fault in faults])


def struck(fault: Fault, tended: TendedCluster, random: Random) -> Struck:
    """Make a fault happen."""
    begun_s = time.time()
    charges = 0
    with suppress(psutil.NoSuchProcess):  # who was to be struck has just ended by himself
        charges = fault.strike(tended, random)
    return Struck(name=fault.name, begun_s=begun_s, ended_s=time.time(), charges=charges)


def recoveries(cluster: Cluster, run: Run, faults: Sequence[Struck]) -> list[Recovery]:
    """Return how long it took to get over each fault."""
    with psycopg.connect(cluster.database_url) as connection:
        rows = connection.execute(_FINISHED, (run.id,)).fetchall()
    finished_s = [[at_s for _, at_s in group] for _, group in groupby(rows, itemgetter(0))]
    found = []
    for fault in faults:
        waits_s = [_wait_s(fault.ended_s, of_worker) for of_worker in finished_s]
        known_s = [wait_s for wait_s in waits_s if wait_s is not None]
        all_s = max(known_s) if known_s and len(known_s) == len(waits_s) else None
        next_s = min(known_s, default=None)
        found.append(Recovery(fault=fault, next_result_s=next_s, all_workers_s=all_s))
    return found


def _wait_s(moment_s: float, later_s: Sequence[float]) -> float | None:
    place = int(np.searchsorted(later_s, moment_s))
    return later_s[place] - moment_s if place < len(later_s) else None


def _hit(
    victims: str | None,
    begin: Callable[[Any], object],
    end: Callable[[Any], object] | None = None,
    leases: tuple[float, float] | None = None,
    *,
    is_charged: bool = False,
    is_tended: bool = True,
) -> Strike:
    """Return what hits one of the tended's `victims`, or its servers, and ends some leases later.

    What is charged are the jobs of a worker, or of all workers of a launcher.
    """

    def strike(tended: TendedCluster, random: Random) -> int:
        victim = random.choice(getattr(tended, victims)) if victims else tended.cluster
        charges = max(1, len(psutil.Process(victim.pid).children())) if is_charged else 0
        begin(victim)
        if leases is not None:
            rest = tended.wait if is_tended else time.sleep
            rest(random.uniform(*leases) * LEASE_S)
        if end is not None:
            end(victim)
        return charges

    return strike


def _without_store(
    begin: Callable[[Cluster], None], end: Callable[[Cluster], None], *leases: float
) -> Strike:
    """Return what takes PostgreSQL away; nobody may look into the store meanwhile."""
    return _hit(None, begin, end, leases, is_tended=False)


def _deliver_again(tended: TendedCluster, random: Random) -> int:
    jobs = tended.cluster.store.jobs.queued(tended.run.id)
    if jobs:
        index = random.choice(jobs).arch_index
        faults.deliver(tended.cluster, tended.run, index, _REDELIVERIES)
    return 0


WORKERS, LAUNCHERS, SCHEDULERS = "workers", "launchers", "schedulers"
FAULTS: Final = (
    Fault("worker killed", 5, _hit(WORKERS, faults.kill, is_charged=True)),
    Fault("worker told to quit", 2, _hit(WORKERS, faults.quit_at_once, is_charged=True)),
    Fault("worker frozen", 3, _hit(WORKERS, faults.freeze, faults.thaw, (0.2, 2), is_charged=True)),
    Fault("launcher killed", 2, _hit(LAUNCHERS, faults.kill)),
    Fault("launcher stopped", 2, _hit(LAUNCHERS, faults.ask_to_stop)),
    Fault("launcher told to quit", 1, _hit(LAUNCHERS, faults.quit_at_once, is_charged=True)),
    Fault("scheduler killed", 2, _hit(SCHEDULERS, faults.kill)),
    Fault("scheduler stopped", 1, _hit(SCHEDULERS, faults.ask_to_stop)),
    Fault("scheduler frozen", 1, _hit(SCHEDULERS, faults.freeze, faults.thaw, (0.2, 2))),
    Fault("Redis killed", 2, _hit(None, faults.restart_redis)),
    Fault("Redis emptied", 1, _hit(None, faults.lose_redis_data)),
    Fault("Redis frozen", 2, _hit(None, faults.freeze_redis, faults.thaw_redis, (0.2, 1))),
    Fault("Redis away", 1, _hit(None, faults.stop_redis, faults.start_redis, (0.2, 2))),
    Fault("PostgreSQL restarted", 2, _hit(None, faults.restart_postgres)),
    Fault("PostgreSQL killed", 2, _hit(None, faults.kill_postgres, faults.start_postgres)),
    Fault(
        "PostgreSQL frozen",
        1,
        _without_store(faults.freeze_postgres, faults.thaw_postgres, 0.1, 1),
    ),
    Fault(  # for longer than every lease
        "PostgreSQL away",
        1,
        _without_store(faults.stop_postgres, faults.start_postgres, 1, 1.5),
    ),
    Fault("message delivered again", 1, _deliver_again),
)
