"""Random faults of a cluster, from a seed: what is done, how often, and what it may cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

import psutil

from benchmarks.suite.queue.world import LEASE_S, World
from tests.support import faults

_REDELIVERIES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that can happen; `weight` says how often it is drawn.

    `strike` returns when it is over: how many jobs may be charged with an attempt for it, because
    they lost their worker before it had reported an epoch.
    """

    name: str
    strike: Callable[[World, Random], int]
    weight: int


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A fault that has happened, in seconds since the Unix epoch."""

    name: str
    begun_s: float
    ended_s: float
    charges: int


def drawn(random: Random, faults: Sequence[Fault]) -> Iterator[Fault]:
    """Yield faults without end: each once in some order, then by their weights."""
    yield from random.sample(faults, len(faults))
    while True:
        yield from random.choices(faults, [fault.weight for fault in faults])


def struck(fault: Fault, world: World, random: Random) -> Struck:
    """Let a fault happen."""
    begun_s = time.time()
    charges = 0
    with suppress(psutil.NoSuchProcess):  # who was to be struck has just ended by himself
        charges = fault.strike(world, random)
    return Struck(name=fault.name, begun_s=begun_s, ended_s=time.time(), charges=charges)


def _kill_worker(world: World, random: Random) -> int:
    worker = random.choice(world.workers)
    faults.kill(worker)
    return 1


def _quit_worker(world: World, random: Random) -> int:
    worker = random.choice(world.workers)
    faults.quit_at_once(worker)
    return 1


def _freeze_worker(world: World, random: Random) -> int:
    worker = random.choice(world.workers)
    faults.freeze(worker)
    world.wait(random.uniform(0.2, 2) * LEASE_S)
    faults.thaw(worker)
    return 1


def _kill_launcher(world: World, random: Random) -> int:
    faults.kill(random.choice(world.launchers))
    return 0


def _stop_launcher(world: World, random: Random) -> int:
    faults.ask_to_stop(random.choice(world.launchers))
    return 0


def _quit_launcher(world: World, random: Random) -> int:
    launcher = random.choice(world.launchers)
    workers = len(world.cluster.workers(launcher))
    faults.quit_at_once(launcher)
    return workers


def _kill_scheduler(world: World, random: Random) -> int:
    faults.kill(random.choice(world.schedulers))
    return 0


def _stop_scheduler(world: World, random: Random) -> int:
    faults.ask_to_stop(random.choice(world.schedulers))
    return 0


def _freeze_scheduler(world: World, random: Random) -> int:
    scheduler = random.choice(world.schedulers)
    faults.freeze(scheduler)
    world.wait(random.uniform(0.2, 2) * LEASE_S)
    faults.thaw(scheduler)
    return 0


def _restart_redis(world: World, random: Random) -> int:
    faults.restart_redis(world.cluster)
    return 0


def _lose_redis_data(world: World, random: Random) -> int:
    faults.lose_redis_data(world.cluster)
    return 0


def _freeze_redis(world: World, random: Random) -> int:
    faults.freeze_redis(world.cluster)
    world.wait(random.uniform(0.2, 1) * LEASE_S)
    faults.thaw_redis(world.cluster)
    return 0


def _redis_away(world: World, random: Random) -> int:
    faults.stop_redis(world.cluster)
    world.wait(random.uniform(0.2, 2) * LEASE_S)
    faults.start_redis(world.cluster)
    return 0


def _restart_postgres(world: World, random: Random) -> int:
    faults.restart_postgres(world.cluster)
    return 0


def _kill_postgres(world: World, random: Random) -> int:
    faults.kill_postgres(world.cluster)
    faults.start_postgres(world.cluster)
    return 0


def _freeze_postgres(world: World, random: Random) -> int:
    world.cluster.postgres.freeze()
    try:
        time.sleep(random.uniform(0.1, 1) * LEASE_S)  # nobody may look into the store meanwhile
    finally:
        world.cluster.postgres.thaw()
    return 0


def _postgres_away(world: World, random: Random) -> int:
    """Take PostgreSQL away for longer than every lease."""
    faults.stop_postgres(world.cluster)
    time.sleep(random.uniform(1, 1.5) * LEASE_S)
    faults.start_postgres(world.cluster)
    return 0


def _deliver_again(world: World, random: Random) -> int:
    jobs = world.cluster.store.jobs.queued(world.run.id)
    if jobs:
        index = random.choice(jobs).arch_index
        faults.deliver(world.cluster, world.run, index, _REDELIVERIES)
    return 0


FAULTS: Final = (
    Fault(name="worker killed", strike=_kill_worker, weight=5),
    Fault(name="worker told to quit", strike=_quit_worker, weight=2),
    Fault(name="worker frozen", strike=_freeze_worker, weight=3),
    Fault(name="launcher killed", strike=_kill_launcher, weight=2),
    Fault(name="launcher stopped", strike=_stop_launcher, weight=2),
    Fault(name="launcher told to quit", strike=_quit_launcher, weight=1),
    Fault(name="scheduler killed", strike=_kill_scheduler, weight=2),
    Fault(name="scheduler stopped", strike=_stop_scheduler, weight=1),
    Fault(name="scheduler frozen", strike=_freeze_scheduler, weight=1),
    Fault(name="Redis killed", strike=_restart_redis, weight=2),
    Fault(name="Redis emptied", strike=_lose_redis_data, weight=1),
    Fault(name="Redis frozen", strike=_freeze_redis, weight=2),
    Fault(name="Redis away", strike=_redis_away, weight=1),
    Fault(name="PostgreSQL restarted", strike=_restart_postgres, weight=2),
    Fault(name="PostgreSQL killed", strike=_kill_postgres, weight=2),
    Fault(name="PostgreSQL frozen", strike=_freeze_postgres, weight=1),
    Fault(name="PostgreSQL away", strike=_postgres_away, weight=1),
    Fault(name="message delivered again", strike=_deliver_again, weight=1),
)
