"""The identity of a store: what tells it from any other, also under the same URL."""

from __future__ import annotations

from sqlalchemy import select

from blox_store.store import schema
from blox_store.store.database.database import Database


def store_id(database: Database) -> str:
    """Return the 32 hex digits that were drawn when the store was made."""
    with database.read() as connection:
        found: str = connection.execute(select(schema.identity.c.store_id)).scalar_one()
        return found
