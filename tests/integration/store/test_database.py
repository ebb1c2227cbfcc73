"""What becomes of the database's errors, and of processes that stop in a transaction."""

from contextlib import ExitStack, closing

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from blox_store.errors import StoreError, StoreUnavailable
from blox_store.store import Store
from blox_store.store.database.database import Database


@pytest.fixture
def database(postgres_url):
    """An empty database."""
    with closing(Database(postgres_url)) as opened:
        yield opened


@pytest.fixture
def limited(postgres_url):
    """Gives the database with a limit of another size than ours on its transactions."""
    with ExitStack() as opened:

        def with_limit(limit):
            parsed = make_url(postgres_url).update_query_dict({"options": f"-c {limit}"})
            made = Database(parsed.render_as_string(hide_password=False))
            return opened.enter_context(closing(made))

        yield with_limit


def test_a_statement_that_the_database_refuses_is_no_outage(database):
    message = (
        r'refused a statement: relation "jobs" does not exist; see that it is a whole database'
    )
    with pytest.raises(StoreError, match=message) as caught, database.read() as connection:
        connection.execute(text("SELECT * FROM jobs"))
    assert not isinstance(caught.value, StoreUnavailable)
    assert "\n" not in str(caught.value)


def test_options_of_the_url_are_kept_and_may_overrule_the_limits(limited):
    with limited("lock_timeout=7s").read() as connection:
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "7s"
        idle = connection.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert idle.scalar_one() == "1min"


def test_a_connection_that_the_server_ends_is_an_outage(database):
    end_yourself = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with (
        pytest.raises(StoreUnavailable, match="give a reachable one by --database"),
        database.read() as connection,
    ):
        connection.execute(end_yourself)


def test_a_database_that_is_read_only_is_an_outage_and_may_be_elsewhere_by_now(
    database, postgres_server, postgres_url
):
    make = text("CREATE TABLE numbers (number INT)")

    def make_read_only(setting):
        with psycopg.connect(postgres_server, autocommit=True) as other:
            name = make_url(postgres_url).database
            other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {setting}")

    make_read_only("on")
    with (
        pytest.raises(StoreUnavailable, match="cannot execute CREATE TABLE in a read-only"),
        database.write() as connection,
    ):
        connection.execute(make)
    make_read_only("off")  # which only new connections get to know
    with database.write() as connection:
        connection.execute(make)


def test_one_connection_is_kept_and_replaced_when_the_server_has_ended_it(database, postgres_url):
    own_pid = text("SELECT pg_backend_pid()")

    def pid():
        with database.read() as connection:
            return connection.execute(own_pid).scalar_one()

    kept = pid()
    assert pid() == kept
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT pg_terminate_backend(%s, 60000)", [kept])
    assert pid() != kept


def test_transactions_on_postgresql_are_limited(database):
    with database.read() as connection:
        limits = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert limits == ["30s", "1min"]
    with database.read_at_leisure() as connection:
        idle = connection.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert idle.scalar_one() == "0"


def test_who_is_frozen_in_a_transaction_loses_its_locks(postgres_url, limited):
    frozen = limited("idle_in_transaction_session_timeout=100ms")

    def lock_and_freeze(store):
        with frozen.write() as connection:
            connection.execute(text("LOCK TABLE runs"))
            assert store.runs.all() == []  # waits for the lock until the server takes it back

    with (
        Store(postgres_url, migrate=True) as store,
        pytest.raises(StoreUnavailable, match="give a reachable one by --database"),
    ):
        lock_and_freeze(store)


def test_a_lock_that_does_not_come_is_an_outage(postgres_url, limited):
    Store(postgres_url, migrate=True).close()
    waiting = limited("lock_timeout=50ms")
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE runs")
        with (
            pytest.raises(StoreUnavailable, match="canceling statement due to lock timeout"),
            waiting.read() as connection,
        ):
            connection.execute(text("SELECT * FROM runs"))
