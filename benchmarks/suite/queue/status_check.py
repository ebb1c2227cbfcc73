"""Whether `blox status --json` says what the database says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from benchmarks.suite.queue.world import World
from tests.support.commands import Commands
from tests.support.servers import wait_until

ENDED = ("succeeded", "diverged", "failed")
_BY_STATE = "SELECT state, count(*) FROM jobs WHERE run_id = %s GROUP BY state"

Counts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the status said, between two counts of the database."""

    before: Counts
    status: Counts
    after: Counts

    @property
    def agrees(self) -> bool:
        """Whether each number can be that of one moment between the two counts.

        Jobs that have ended stay so; of the others only the sum is bounded while work goes on.
        """
        if self.before == self.after:
            return self.status == self.before
        same_total = sum(self.status.values()) == sum(self.before.values())
        return same_total and all(
            self.before[state] <= self.status[state] <= self.after[state] for state in ENDED
        )


def look(world: World) -> Look:
    """Ask the status while work goes on."""
    before = _counts(world)
    status = _status(world)
    return Look(before=before, status=status, after=_counts(world))


def look_at_still(world: World) -> Look:
    """Ask the status while no process runs, so that every number has to be the very same."""
    with world.standing_still():
        wait_until(lambda: _counts(world) == _counts(world), "the database to come to rest")
        return look(world)


def _status(world: World) -> Counts:
    printed = Commands(world.cluster.folder).succeed(
        f"blox status --run {world.run.id} --json --database {world.cluster.database_url}"
    )
    (run,) = json.loads(printed)["runs"]
    jobs: Counts = run["jobs"]
    return jobs


def _counts(world: World) -> Counts:
    """Count the jobs by a statement of our own, which sees one snapshot."""
    with psycopg.connect(world.cluster.database_url) as connection:
        rows = connection.execute(_BY_STATE, (world.run.id,)).fetchall()
    none = dict.fromkeys(("pending", "queued", "running", *ENDED), 0)
    return none | dict(rows)
