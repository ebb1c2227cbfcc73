"""INSERT statements that say what happens to a row that is there already."""

from __future__ import annotations

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(dialect: Dialect, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT to which `on_conflict_…` can be added."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


def insert_or_ignore(dialect: Dialect, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that passes over rows whose key is there already."""
    return upsert(dialect, table).on_conflict_do_nothing()
