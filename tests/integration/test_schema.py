"""The schema: what the migrations make is what the code uses; other databases are refused."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from blox_store.errors import SchemaMismatch, StoreError, StoreUnavailable
from blox_store.store import Store, schema
from blox_store.store.database import revision
from blox_store.store.database.database import Database
from tests.support.servers import wait_until


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url):
    Store(database_url, migrate=True).close()
    database = Database(database_url)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    database.close()


def test_migrating_again_changes_nothing(database_url):
    for _ in range(2):
        Store(database_url, migrate=True).close()
    Store(database_url).close()


def test_several_may_migrate_at_once(database_url):
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda _: Store(database_url, migrate=True).close(), range(4)):
            continue
    Store(database_url).close()


def test_an_empty_database_is_no_store(database_url):
    with pytest.raises(SchemaMismatch, match="holds no Blox store; make one by 'blox init'"):
        Store(database_url)


def set_revision(database_url, value):
    database = Database(database_url)
    with database.write() as connection:
        connection.execute(
            text("UPDATE alembic_version SET version_num = :value"), {"value": value}
        )
    database.close()


def test_an_unknown_revision_is_refused(database_url):
    Store(database_url, migrate=True).close()
    set_revision(database_url, "9999")
    message = (
        "is at schema revision 9999, this version knows 0001, .*; install the version that made"
    )
    for migrate in (False, True):
        with pytest.raises(SchemaMismatch, match=message):
            Store(database_url, migrate=migrate)


def test_an_older_revision_is_told_to_migrate(database_url, monkeypatch):
    Store(database_url, migrate=True).close()
    older = revision.CURRENT
    monkeypatch.setattr(revision, "CURRENT", "9999")
    message = rf"revision {older}, .* needs 9999; run 'blox migrate'"
    with pytest.raises(SchemaMismatch, match=message):
        Store(database_url)


def test_tables_of_another_program_are_left_alone(database_url):
    database = Database(database_url)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE jobs (name TEXT)"))
    with pytest.raises(SchemaMismatch, match="tables of another program named jobs"):
        Store(database_url, migrate=True)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 0
    database.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "the database URL cannot be read; sqlite:///PATH or postgresql://"),
        ("mysql://root:secret@host/db", r"'mysql://root:\*\*\*@host/db': sqlite:///PATH or"),
        ("postgresql://u:secret@h:port/db", "the database URL cannot be read; sqlite:///PATH"),
        ("mysql://h/db?password=secret", "'mysql://h/db': sqlite:///PATH or"),
        ("sqlite://", "database URL 'sqlite://': sqlite:///PATH or postgresql://"),
    ],
)
def test_another_kind_of_url_is_refused(url, message):
    with pytest.raises(StoreError, match=message) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_a_database_that_cannot_be_reached_is_one_clear_line(tmp_path):
    urls = [f"sqlite:///{tmp_path}/none/blox.db", f"postgresql://u:secret@/db?host={tmp_path}"]
    for url in urls:
        for migrate in (False, True):
            with pytest.raises(StoreUnavailable, match="give a reachable one by --database") as got:
                Store(url, migrate=migrate)
            assert "\n" not in str(got.value)
            assert "secret" not in str(got.value)


def test_a_damaged_file_is_one_clear_line(sqlite_url, tmp_path):
    with Store(sqlite_url, migrate=True) as store:
        store.runs.all()
    path = tmp_path / "store.db"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    message = (
        "store.db refused a statement: database disk image is malformed; see that it is a whole"
    )
    with pytest.raises(StoreError, match=message) as caught:
        Store(sqlite_url)
    assert not isinstance(caught.value, StoreUnavailable)
    assert "\n" not in str(caught.value)


def test_a_user_without_rights_is_one_clear_line(postgres_url):
    Store(postgres_url, migrate=True).close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS stranger")
        connection.execute("CREATE ROLE stranger LOGIN")
    try:
        url = make_url(postgres_url).set(username="stranger")
        with pytest.raises(StoreError, match="permission denied for table") as caught:
            Store(url.render_as_string(hide_password=False))
        assert not isinstance(caught.value, StoreUnavailable)
        assert "\n" not in str(caught.value)
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("DROP ROLE stranger")


def test_a_broken_constraint_is_no_outage(database_url):
    Store(database_url, migrate=True).close()
    database = Database(database_url)
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(text("INSERT INTO environments VALUES (1, NULL, '{}')"))
    database.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are notes, not a database, and longer than a header" * 20)
    before = path.read_bytes()
    for migrate in (False, True):
        with pytest.raises(StoreError, match="refused a statement: file is not a database; see"):
            Store(f"sqlite:///{path}", migrate=migrate)
    assert path.read_bytes() == before


def test_sqlite_waits_for_another_writer_and_reads_beside_it(sqlite_url, tmp_path):
    with Store(sqlite_url, migrate=True) as store:
        with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as other:
            assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            other.execute("BEGIN IMMEDIATE")
            assert store.runs.all() == []
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(store.runs.set_paused, 1, True)
                assert not waiting.done()
                other.execute("COMMIT")
                waiting.result(timeout=30)
        other.close()


def test_curves_stay_inside_their_row_on_postgresql(postgres_url):
    Store(postgres_url, migrate=True).close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO runs VALUES (1,'d','{}','f',0,'torch',1,false,0);"
            "INSERT INTO jobs VALUES (1,0,'succeeded',0,0,NULL,NULL,NULL,0,200,'w',NULL,0);"
            "INSERT INTO environments VALUES (1,'f','{}');"
        )
        curves = bytes(range(256)) * 13  # 3,328 bytes: 200 epochs
        connection.execute(
            "INSERT INTO results VALUES (1,0,'t','w',1,'succeeded',200,1,1,1,1,1,1,%s,0)", [curves]
        )
        toasted = connection.execute(
            "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = 'results'"
        ).fetchone()
        assert toasted == (0,)


def test_one_connection_to_postgresql_stays_open_as_long_as_the_store(postgres_url):
    count = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def others():
            return connection.execute(count).fetchone()[0] - 1

        with Store(postgres_url, migrate=True) as store:
            store.runs.all()
            # The server's end of a connection goes a little later than ours.
            wait_until(lambda: others() == 1, "all but one connection to close", 5)
        wait_until(lambda: others() == 0, "the last connection to close", 5)
