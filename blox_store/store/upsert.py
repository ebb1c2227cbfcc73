"""INSERT statements that say what happens to a row that is there already."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table
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
