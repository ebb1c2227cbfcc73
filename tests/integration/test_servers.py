import os

import psycopg
import pytest
import redis

from tests.support.databases import Databases

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
OURS = f"blox_test_{os.getpid()}_%"  # other test processes may have theirs on the same server
DATABASES = f"SELECT oid, datname FROM pg_database WHERE datname LIKE '{OURS}'"


def asked(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def test_a_database_is_used_again_under_another_name_and_is_empty(postgres_server):
    before = dict(asked(postgres_server, DATABASES))
    with Databases(postgres_server) as databases:
        with databases.new() as first, psycopg.connect(first, autocommit=True) as left_open:
            left_open.execute("CREATE TABLE numbers (number INT)")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(first)
        with databases.new() as second:
            assert asked(second, TABLES) == [(0,)]
            made = dict(asked(postgres_server, DATABASES)).keys() - before.keys()
            assert len(made) == 1
    assert dict(asked(postgres_server, DATABASES)) == before


def test_a_database_that_cannot_be_emptied_is_dropped(postgres_server):
    before = dict(asked(postgres_server, DATABASES))
    with Databases(postgres_server) as databases:
        with databases.new() as url, psycopg.connect(postgres_server, autocommit=True) as admin:
            name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        assert dict(asked(postgres_server, DATABASES)) == before
        with databases.new() as url:
            assert asked(url, TABLES) == [(0,)]


def test_the_redis_server_keeps_what_it_is_given(redis_url):
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    client.rpush("queue", "1", "2")
    assert client.lrange("queue", 0, -1) == ["1", "2"]
    client.close()
