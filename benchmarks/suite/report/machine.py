"""The machine that is measured on, and whether it is idle enough for that."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from tests.support.servers import postgres_version

IDLE_LOAD_PER_CORE: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What figures depend on."""

    processor: str
    cores: int
    load: float
    python: str
    postgresql: str
    redis: str
    celery: str
    sqlalchemy: str
    psycopg: str

    @property
    def busy(self) -> bool:
        """Whether other work was going on, so much that the figures say little."""
        return self.load > IDLE_LOAD_PER_CORE * self.cores

    def __str__(self) -> str:
        line = (
            f"{self.cores} cores ({self.processor}), Python {self.python}, {self.postgresql}, "
            f"{self.redis}, Celery {self.celery}, SQLAlchemy {self.sqlalchemy}, "
            f"psycopg {self.psycopg}; load {self.load:.2f} at the start"
        )
        return f"{line}: BUSY, the figures are not to be quoted" if self.busy else line


def this_machine() -> Machine:
    """Return the machine as it is now."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
        python=platform.python_version(),
        postgresql=postgres_version(),
        redis=_redis_version(),
        celery=version("celery"),
        sqlalchemy=version("sqlalchemy"),
        psycopg=version("psycopg"),
    )


def refuse_if_busy(machine: Machine) -> None:
    """Raise a ClickException if the machine is busy."""
    if machine.busy:
        raise click.ClickException(
            f"the load of this machine is {machine.load:.2f}: at most "
            f"{IDLE_LOAD_PER_CORE * machine.cores:g} is allowed on {machine.cores} cores; wait, "
            "or measure all the same by --any-load, which marks the table"
        )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _redis_version() -> str:
    output = subprocess.run(
        ["redis-server", "--version"], check=True, capture_output=True, text=True
    ).stdout
    return f"Redis {output.split('v=')[1].split()[0]}"
