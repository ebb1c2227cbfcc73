"""Writing what may be there already: INSERT statements for it, and taking turns."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

_ROWS_PER_STATEMENT: Final = 5000


def upsert(dialect: Dialect, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT to which `on_conflict_…` can be added."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


def insert_or_ignore(dialect: Dialect, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that passes over rows whose key is there already."""
    return upsert(dialect, table).on_conflict_do_nothing()


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, passing over those whose key is there."""
    statement = insert_or_ignore(connection.dialect, table)
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        connection.execute(statement, rows[start : start + _ROWS_PER_STATEMENT])


def one_at_a_time(connection: Connection, number: int) -> None:
    """Let other transactions that lock this number wait for the end of this one.

    SQLite lets transactions that write wait anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(number)))
