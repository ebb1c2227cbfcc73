"""Stores that are new to a test and were migrated once: Alembic takes 0.1 to 0.3 s."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from uuid import uuid4

from blox_store.store import Store, schema
from tests.support.databases import Databases

_TABLES = [table.name for table in reversed(schema.metadata.sorted_tables)]
_DELETE = [f"DELETE FROM {name}" for name in _TABLES if name != schema.identity.name]
# What a store that was used needs to be a new one: no rows, numbers from 1, another identity.
# TRUNCATE makes the files of each table and index anew, which takes longer than a test's few rows.
_AS_NEW = f"""
{"; ".join(_DELETE)};
SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S';
UPDATE identity SET store_id = replace(gen_random_uuid()::text, '-', '')
"""


def migrate(url: str) -> None:
    """Bring an empty database to the current schema."""
    Store(url, migrate=True).close()


def postgres_stores(server_url: str) -> Databases:
    """Return databases of a PostgreSQL server, each with a new store."""
    return Databases(server_url, prepare=migrate, restore=_AS_NEW)


def copy_sqlite_store(migrated: Path, path: Path) -> str:
    """Return the URL of a new store in a file: a copy, but for its identity."""
    shutil.copy(migrated, path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE identity SET store_id = ?", [uuid4().hex])
    connection.close()
    return f"sqlite:///{path}"
