"""What becomes of the database's errors, and of processes that stop in a transaction."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from blox_store.errors import StoreError, StoreUnavailable
from blox_store.store import Store
from blox_store.store.database import Database


def limited(url, limit):
    """Return a database whose transactions have a limit of another size than ours."""
    parsed = make_url(url).update_query_dict({"options": f"-c {limit}"})
    return Database(parsed.render_as_string(hide_password=False))


def test_a_statement_that_the_database_refuses_is_no_outage(postgres_url):
    database = Database(postgres_url)
    message = (
        r'refused a statement: relation "jobs" does not exist; see that it is a whole database'
    )
    with pytest.raises(StoreError, match=message) as caught, database.read() as connection:
        connection.execute(text("SELECT * FROM jobs"))
    assert not isinstance(caught.value, StoreUnavailable)
    assert "\n" not in str(caught.value)


def test_options_of_the_url_are_kept_and_may_overrule_the_limits(postgres_url):
    with limited(postgres_url, "lock_timeout=7s").read() as connection:
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "7s"
        idle = connection.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert idle.scalar_one() == "1min"


def test_a_connection_that_the_server_ends_is_an_outage(postgres_url):
    end_yourself = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with (
        pytest.raises(StoreUnavailable, match="give a reachable one by --database"),
        Database(postgres_url).read() as connection,
    ):
        connection.execute(end_yourself)


def test_transactions_on_postgresql_are_limited(postgres_url):
    database = Database(postgres_url)
    with database.read() as connection:
        limits = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert limits == ["30s", "1min"]
    with database.read_at_leisure() as connection:
        idle = connection.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert idle.scalar_one() == "0"


def test_who_is_frozen_in_a_transaction_loses_its_locks(postgres_url):
    frozen = limited(postgres_url, "idle_in_transaction_session_timeout=100ms")

    def lock_and_freeze(store):
        with frozen.write() as connection:
            connection.execute(text("LOCK TABLE runs"))
            assert store.runs.all() == []  # waits for the lock until the server takes it back

    with (
        Store(postgres_url, migrate=True) as store,
        pytest.raises(StoreUnavailable, match="give a reachable one by --database"),
    ):
        lock_and_freeze(store)


def test_a_lock_that_does_not_come_is_an_outage(postgres_url):
    Store(postgres_url, migrate=True).close()
    waiting = limited(postgres_url, "lock_timeout=50ms")
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE runs")
        with (
            pytest.raises(StoreUnavailable, match="canceling statement due to lock timeout"),
            waiting.read() as connection,
        ):
            connection.execute(text("SELECT * FROM runs"))
