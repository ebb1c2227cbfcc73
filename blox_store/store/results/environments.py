"""Environments: on what something was trained or measured, each set of strings stored once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from blox_store.store import schema
from blox_store.store.database.upsert import insert_or_ignore


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
