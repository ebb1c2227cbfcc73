"""The revision of a database's schema: what it is, and how it becomes the current one.

Alembic is loaded where there is something to migrate: that takes a third of a second, and every
command and worker looks at the revision.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from blox_store.errors import SchemaMismatch
from blox_store.store import schema
from blox_store.store.database.database import Database
from blox_store.store.database.upsert import one_at_a_time

if TYPE_CHECKING:
    from alembic.config import Config

CURRENT: Final = "0005"  # of this version of Blox: the last of the migrations
_MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
# Any constant number does, as long as nothing else in the database takes the same lock.
_ADVISORY_LOCK: Final = 0x626C6F78  # "blox"
_VERSION: Final = Table("alembic_version", MetaData(), Column("version_num", String(32)))


def check(database: Database) -> None:
    """Raise SchemaMismatch unless the database is at the current revision."""
    found = None
    if not database.is_missing_file:
        with database.read() as connection:
            found = _revision(connection)
    if found == CURRENT:
        return
    if found is None:
        raise SchemaMismatch(
            f"database {database.shown_url} holds no Blox store; make one by 'blox init'"
        )
    _refuse_unknown(database, found)
    raise SchemaMismatch(
        f"database {database.shown_url} is at schema revision {found}, "
        f"this version needs {CURRENT}; run 'blox migrate'"
    )


def upgrade(database: Database) -> None:
    """Bring an empty or older database to the current revision, in one transaction.

    Raises SchemaMismatch for a revision that this version does not know, and for a database with
    tables of somebody else under our names.
    """
    with database.write() as connection:
        one_at_a_time(connection, _ADVISORY_LOCK)
        found = _revision(connection)
        if found == CURRENT:
            return
        if found is None:
            _refuse_foreign_tables(database, connection)
        else:
            _refuse_unknown(database, found)
        _migrate(connection)


def _migrate(connection: Connection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str | None:
    """Return the revision that Alembic has noted in the database, None in one without tables."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.scalar(select(_VERSION.c.version_num))


def _refuse_unknown(database: Database, found: str) -> None:
    from alembic.script import ScriptDirectory

    known = [made.revision for made in ScriptDirectory.from_config(_config()).walk_revisions()]
    if found not in known:
        raise SchemaMismatch(
            f"database {database.shown_url} is at schema revision {found}, "
            f"this version knows {', '.join(reversed(known))}; install the version that made it"
        )


def _refuse_foreign_tables(database: Database, connection: Connection) -> None:
    ours = set(schema.metadata.tables) & set(inspect(connection).get_table_names())
    if ours:
        raise SchemaMismatch(
            f"database {database.shown_url} has tables of another program named "
            f"{', '.join(sorted(ours))}; give an empty database"
        )
