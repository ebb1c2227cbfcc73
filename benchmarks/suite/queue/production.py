"""PostgreSQL as it is in production: on TCP, with passwords, and with commits that last."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy.engine import make_url

from tests.support.servers import Server, own_postgres, wait_until

MAX_CONNECTIONS: Final = 1200
MOST_WORKERS: Final = MAX_CONNECTIONS - 100  # the rest is for the superuser and the scheduler
_HOST: Final = "127.0.0.1"
_PASSWORD: Final = "benchmark"
_ACCESS: Final = f"local all all trust\nhost all all {_HOST}/32 scram-sha-256\n"


@contextmanager
def production_postgres() -> Iterator[tuple[Server, str]]:
    """Run a PostgreSQL server; give it, and the URL by which workers connect.

    Everything is PostgreSQL's default, fsync among it, but for `max_connections`.
    """
    port = _free_port()
    settings = (
        f"listen_addresses={_HOST}",
        "fsync=on",
        f"max_connections={MAX_CONNECTIONS}",
        "password_encryption=scram-sha-256",
    )
    with own_postgres(*settings, port=port) as server:
        (server.folder / "data" / "pg_hba.conf").write_text(_ACCESS)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE postgres PASSWORD '{_PASSWORD}'")
            connection.execute("SELECT pg_reload_conf()")
        url = f"postgresql://postgres:{_PASSWORD}@{_HOST}:{port}/postgres"
        wait_until(lambda: _asks_for_password(port), "PostgreSQL to ask for a password")
        yield server, url


@contextmanager
def new_database(url: str, name: str) -> Iterator[str]:
    """Make a database; give its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield make_url(url).set(database=name).render_as_string(hide_password=False)


def _asks_for_password(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://postgres:wrong@{_HOST}:{port}/postgres").close()
    except psycopg.OperationalError:
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
