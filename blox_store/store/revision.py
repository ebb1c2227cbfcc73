"""The revision of a database's schema: what it is, and how it becomes the current one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from blox_store.errors import SchemaMismatch
from blox_store.store import schema
from blox_store.store.database import Database

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
# Any constant number does, as long as nothing else in the database takes the same lock.
_ADVISORY_LOCK: Final = 0x626C6F78  # "blox"


def current() -> str:
    """Return the schema revision of this version of Blox."""
    head = _script().get_current_head()
    assert head is not None, "the package has at least one migration"
    return head


def check(database: Database) -> None:
    """Raise SchemaMismatch unless the database is at the current revision."""
    found = None
    if not database.is_missing_file:
        with database.read() as connection:
            found = _revision(connection)
    if found == current():
        return
    if found is None:
        raise SchemaMismatch(
            f"database {database.shown_url} holds no Blox store; make one by 'blox init'"
        )
    _refuse_unknown(database, found)
    raise SchemaMismatch(
        f"database {database.shown_url} is at schema revision {found}, "
        f"this version needs {current()}; run 'blox migrate'"
    )


def upgrade(database: Database) -> None:
    """Bring an empty or older database to the current revision, in one transaction.

    Raises SchemaMismatch for a revision that this version does not know, and for a database with
    tables of somebody else under our names.
    """
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            lock = text("SELECT pg_advisory_xact_lock(:lock)")
            connection.execute(lock, {"lock": _ADVISORY_LOCK})
        found = _revision(connection)
        if found is None:
            _refuse_foreign_tables(database, connection)
        else:
            _refuse_unknown(database, found)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_unknown(database: Database, found: str) -> None:
    known = [script.revision for script in _script().walk_revisions()]
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
