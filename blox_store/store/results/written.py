"""What workers write when they end jobs: once under a lease, and on what it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import Connection, Table, Update, func, insert, select

from blox_store.store import schema
from blox_store.store.database.clock import database_time, now_s
from blox_store.store.database.database import StorePart
from blox_store.store.database.upsert import insert_or_ignore
from blox_store.store.jobs.leases import lease_lost
from blox_store.store.values import Lease


class Written(StorePart):
    """What has been written into one table of a store, a row for each job."""

    _table: ClassVar[Table]

    def finished_within(self, run_id: int, window_s: float) -> tuple[int, float]:
        """Return how many rows of a run came in the last seconds, and how long ago the first did.

        The second is 0 without any; the two give a rate.
        """
        finished_s = self._table.c.finished_s
        with self._database.read() as connection:
            # Asked first: compared with its own clock PostgreSQL would not use the index.
            current_s = database_time(connection)
            latest = select(func.count(), func.min(finished_s)).where(
                self._table.c.run_id == run_id, finished_s >= current_s - window_s
            )
            count, first_s = connection.execute(latest).one()
            return count, 0.0 if first_s is None else max(0.0, current_s - first_s)

    def _end_job(self, connection: Connection, end: Update, lease: Lease) -> bool:
        """End a job, and return True; False if it was ended under this lease before.

        Raises LeaseLost if it is neither.
        """
        if connection.execute(end).rowcount == 1:
            return True
        written = select(self._table.c.lease_token).filter_by(
            run_id=lease.run_id, arch_index=lease.arch_index
        )
        if connection.scalar(written) != lease.token:
            raise lease_lost(lease)
        return False

    def _insert(self, connection: Connection, lease: Lease, row: Mapping[str, Any]) -> None:
        connection.execute(
            insert(self._table).values(
                run_id=lease.run_id,
                arch_index=lease.arch_index,
                lease_token=lease.token,
                worker=lease.worker,
                finished_s=now_s(),
                **row,
            )
        )


def environment_id(connection: Connection, strings: Mapping[str, Any]) -> int:
    """Return the id of an environment, which is stored if it is new."""
    text = json.dumps(dict(strings), sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    known = select(schema.environments.c.id).filter_by(fingerprint=fingerprint)
    found: int | None = connection.scalar(known)  # as nearly always
    if found is None:
        connection.execute(
            insert_or_ignore(connection.dialect, schema.environments).values(
                fingerprint=fingerprint, strings=dict(strings)
            )
        )
        found = connection.execute(known).scalar_one()
    return found
