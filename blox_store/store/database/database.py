"""Connections and transactions, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)

from blox_store.errors import StoreError, StoreUnavailable

BUSY_TIMEOUT_MS: Final = 30_000  # how long SQLite waits for another process's transaction
# A connection whose other end has vanished is given up in half a minute, not in TCP's hours.
_CONNECTION_LIMITS: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
# A process that is frozen in a transaction must not hold its locks for ever, nor others wait.
_TRANSACTION_LIMITS: Final = "-c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"
_READ_ONLY: Final = "25006"  # what PostgreSQL calls a statement that a standby cannot run
_ALLOWED = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
_ADVICE = "give a reachable one by --database or BLOX_DATABASE_URL"
_REFUSED_ADVICE = "see that it is a whole database and that this user has the rights to its tables"


class Database:
    """A database by its URL, `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`.

    Raises StoreError for another URL. Every transaction raises StoreUnavailable for what may be
    worth waiting for, such as a database that cannot be reached, is locked, read-only or has a full
    disk, and a plain StoreError for a statement that the database refuses, for want of rights or
    because it is damaged. One connection to PostgreSQL is kept between transactions, and looked
    after before each: to make one costs ten times as much as a heartbeat
    (`docs/explanation/decisions/0010-one-connection-per-worker.md`).
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self._file = Path(parsed.database or "") if parsed.drivername == "sqlite" else None
        self.shown_url = _shown(parsed)
        self.engine = _sqlite(parsed) if parsed.drivername == "sqlite" else _postgresql(parsed)

    @property
    def is_missing_file(self) -> bool:
        """Whether it is a SQLite file that is not there, and that connecting would make."""
        return self._file is not None and self._file.parent.is_dir() and not self._file.exists()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run a transaction that sees one state of the database throughout."""
        with self._transaction(isolation_level="REPEATABLE READ", begin="BEGIN") as connection:
            yield connection

    @contextmanager
    def read_at_leisure(self) -> Iterator[Connection]:
        """Run a transaction like `read`, in which any time may pass between two statements."""
        with self.read() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a transaction that writes; on SQLite nobody else writes meanwhile."""
        # A deferred SQLite transaction that starts to write later fails at once if another has
        # written, whatever the busy timeout; hence IMMEDIATE.
        with self._transaction(
            isolation_level="READ COMMITTED", begin="BEGIN IMMEDIATE"
        ) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, isolation_level: str, begin: str) -> Iterator[Connection]:
        options: dict[str, Any] = {"begin": begin}
        if self.engine.dialect.name == "postgresql":
            options = {"isolation_level": isolation_level}
        try:
            with (
                self.engine.connect() as plain,
                plain.execution_options(**options) as connection,
                connection.begin(),
            ):
                yield connection
        except IntegrityError:
            raise  # a constraint of ours: a bug, and no fault of the database
        except DBAPIError as error:
            raise self._said(error) from error

    def _said(self, error: DBAPIError) -> StoreError:
        reason, _, _ = str(error.orig).strip().partition("\n")  # what follows quotes the statement
        is_read_only = getattr(error.orig, "sqlstate", None) == _READ_ONLY
        if is_read_only:
            self.close()  # the primary may be elsewhere by now: the next connection finds it
        passing = is_read_only or isinstance(error, (OperationalError, InterfaceError))
        if passing or error.connection_invalidated:
            return StoreUnavailable(f"database {self.shown_url}: {reason}; {_ADVICE}")
        return StoreError(
            f"database {self.shown_url} refused a statement: {reason}; {_REFUSED_ADVICE}"
        )

    def close(self) -> None:
        """Close every idle connection."""
        self.engine.dispose()


class StorePart:
    """Some tables of a store; each of its methods is a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text may hold a password and is not shown.
        raise StoreError(f"the database URL cannot be read; {_ALLOWED} is allowed") from None
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise StoreError(f"database URL {_shown(parsed)!r}: {_ALLOWED} is allowed")


def _shown(url: URL) -> str:
    """Return the URL without its password, which may stand in the query too."""
    shown = {name: value for name, value in url.query.items() if name in ("host", "port")}
    return url.set(query=shown).render_as_string(hide_password=True)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, see `begin` below
        for setting in (f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options()["begin"])

    return engine


def _postgresql(url: URL) -> Engine:
    given = url.query.get("options", "")  # after ours, so that it may overrule them
    options = " ".join((_TRANSACTION_LIMITS, *((given,) if isinstance(given, str) else given)))
    limits = {**_CONNECTION_LIMITS, "options": options.strip()}
    return create_engine(url, pool_size=1, max_overflow=-1, pool_pre_ping=True, connect_args=limits)
