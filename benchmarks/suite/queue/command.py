"""The benchmark of the queue and of the store behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.suite.queue import enqueue, scale, soak
from benchmarks.suite.report.benchmark import Benchmark, versions
from benchmarks.suite.report.options import Options, number, option, several
from blox_core.recipe.fields import SEED_LIMIT
from blox_core.space import SPACE_SIZE
from tests.support.servers import PRODUCTION_CONNECTIONS, postgres_version, redis_version

USUAL_PARTS: Final = ("enqueue", "scale")
MOST_WORKERS: Final = PRODUCTION_CONNECTIONS - 100  # the rest is for the scheduler and the probe
_SHORTEST_S: Final = 0.001
_DAY_S: Final = 86_400
_FLEETS: Final = several(number(int, 1, MOST_WORKERS))
_SEED: Final = number(int, 0, SEED_LIMIT - 1)
_PAUSE_S: Final = number(float, _SHORTEST_S, _DAY_S)


@dataclass(frozen=True, kw_only=True)
class QueueOptions(Options):
    """How large the measurements of the queue are."""

    jobs: int = option(SPACE_SIZE, "Jobs in the store, of all parts.", number(int, 1, SPACE_SIZE))
    fleets: Sequence[int] = option((100, 300, 1000), "Numbers of workers of scale.", _FLEETS)
    seconds: float = option(30.0, "How long scale measures a fleet.", number(float, 1, _DAY_S))
    workers: int = option(4, "Workers of soak.", number(int, 1))
    seed: int | None = option(None, "Seed of soak's faults; else one at random, printed.", _SEED)
    fault_every: float = option(15.0, "Seconds between faults of soak, on average.", _PAUSE_S)
    faults: int | None = option(None, "At most so many faults of soak.", number(int, 0))

    def __post_init__(self) -> None:
        needed = scale.jobs_needed(self.fleets, self.seconds)
        if "scale" in (self.parts or USUAL_PARTS) and needed > self.jobs:
            raise ValueError(
                f"--seconds: {self.seconds:g} s of {sum(self.fleets):,} workers may take "
                f"{needed:,} jobs: {self.jobs:,} are there; give fewer seconds or smaller fleets"
            )


BENCHMARK: Final = Benchmark(
    name="queue",
    options=QueueOptions,
    parts={
        "enqueue": lambda told: enqueue.measure(told.jobs),
        "scale": lambda told: scale.measure(told.jobs, told.fleets, told.seconds),
        "soak": lambda told: soak.measure(
            told.jobs, told.workers, told.seed, told.fault_every, told.faults
        ),
    },
    usual=USUAL_PARTS,
    about=lambda _: {
        "postgresql": postgres_version(),
        "redis": redis_version(),
        **versions("celery", "sqlalchemy", "psycopg"),
    },
)
