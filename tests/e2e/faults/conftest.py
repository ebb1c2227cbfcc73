"""Fixtures of the fault tests: servers to do violence to, and a cluster on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql
from sqlalchemy.engine import make_url

from tests.support import cluster as clusters
from tests.support.cluster import Cluster
from tests.support.servers import Server, own_postgres, own_redis

_database_numbers = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of our own."""
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def broker() -> Iterator[Server]:
    """A Redis server of our own."""
    with own_redis() as server:
        yield server


@pytest.fixture
def cluster(tmp_path: Path, postgres: Server, broker: Server) -> Iterator[Cluster]:
    """A cluster without processes, on an empty database and an empty Redis."""
    name = f"blox_faults_{next(_database_numbers)}"
    url = make_url(postgres.url).set(database=name).render_as_string(hide_password=False)
    _execute(postgres, "CREATE DATABASE {}", name)
    with redis.Redis.from_url(broker.url) as client:
        client.flushall()
    with clusters.cluster(tmp_path, postgres, broker, url) as made:
        yield made
    _execute(postgres, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(server: Server, statement: str, database: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(database)))
