"""The store: opened at its schema's revision, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sqlalchemy import select

from blox_store.store import schema
from blox_store.store.database import revision
from blox_store.store.database.database import Database
from blox_store.store.jobs.jobs import Jobs
from blox_store.store.latencies.measurements import Measurements
from blox_store.store.latencies.static import StaticInfo
from blox_store.store.results.finished import FinishedRuns
from blox_store.store.results.results import Results
from blox_store.store.runs import Runs
from blox_store.store.schedulers import Schedulers
from blox_store.store.snapshot import Snapshot
from blox_store.store.workers import Workers


class Store:
    """The runs, jobs, results, measurements, workers and static information of one database.

    `id` tells it from any other store, also from a later one under the same URL.

    Raises StoreUnavailable if the database cannot be reached, and SchemaMismatch unless it is at
    this version's schema revision. With `migrate`, an empty or older database is brought there.
    """

    def __init__(self, url: str, *, migrate: bool = False) -> None:
        database = Database(url)
        try:
            if migrate:
                revision.upgrade(database)
            revision.check(database)
            with database.read() as connection:  # 32 hex digits, drawn when the store was made
                self.id: str = connection.execute(select(schema.identity.c.store_id)).scalar_one()
        except BaseException:
            database.close()
            raise
        self._database = database
        self.url = database.shown_url
        self.runs = Runs(database)
        self.jobs = Jobs(database)
        self.results = Results(database)
        self.measurements = Measurements(database)
        self.finished_runs = FinishedRuns(database)
        self.workers = Workers(database)
        self.schedulers = Schedulers(database)
        self.static = StaticInfo(database)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Read everything from one state of the database."""
        with self._database.read_at_leisure() as connection:
            yield Snapshot(connection)

    def close(self) -> None:
        """Close every idle connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
