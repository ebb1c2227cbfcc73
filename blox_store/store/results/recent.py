"""What came in lately, from which a rate is made."""

from __future__ import annotations

from sqlalchemy import Table, func, select

from blox_store.store.database.clock import database_time
from blox_store.store.database.database import Database


def finished_within(
    database: Database, table: Table, run_id: int, window_s: float
) -> tuple[int, float]:
    """Return how many rows of a run came in the last `window_s` seconds, and how long ago the first.

    The second is 0 without any; the two give a rate.
    """
    finished_s = table.c.finished_s
    with database.read() as connection:
        # Asked first: compared with its own clock PostgreSQL would not use the index.
        now_s = database_time(connection)
        latest = select(func.count(), func.min(finished_s)).where(
            table.c.run_id == run_id, finished_s >= now_s - window_s
        )
        count, first_s = connection.execute(latest).one()
        return count, 0.0 if first_s is None else max(0.0, now_s - first_s)
