"""The database's clock: leases are judged by it alone, never by a worker's."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

# julianday of 1970-01-01T00:00Z. `unixepoch('subsec')` is NULL on the SQLite of Debian 12.
_UNIX_EPOCH_JULIAN_DAY: Final = "2440587.5"
_DAY_S: Final = "86400.0"


class now_s(FunctionElement[float]):
    """The time of the database in seconds since the Unix epoch, not that of the transaction."""

    type = Double()
    inherit_cache = True


@compiles(now_s, "postgresql")
def _postgresql(element: now_s, compiler: Any, **options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"


@compiles(now_s, "sqlite")
def _sqlite(element: now_s, compiler: Any, **options: Any) -> str:
    return f"((julianday('now') - {_UNIX_EPOCH_JULIAN_DAY}) * {_DAY_S})"


def database_time(connection: Connection) -> float:
    """Return the time of the database, for many rows of one statement."""
    return connection.execute(select(now_s())).scalar_one()
