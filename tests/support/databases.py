"""Databases of PostgreSQL for tests: each new to its test, and made once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

_database_numbers = count()
_RENAME = "ALTER DATABASE {} RENAME TO {}"
_RESET = "ALTER DATABASE {} RESET ALL"
_DROP = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
_DISCONNECT = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC
"""


class Databases:
    """Databases on a PostgreSQL server, which are used again: making one takes 0.2 s.

    Each use has a name of its own, which is gone before anything else is: a process that outlives
    its test cannot come back to the database of another. Test processes may share a server.
    `prepare` gets the URL of every one that is made; `restore` are the statements that bring one
    that was used back to what it was then.
    """

    def __init__(
        self,
        server_url: str,
        *,
        prepare: Callable[[str], None] = lambda url: None,
        restore: str = _EMPTY,
    ) -> None:
        self._url = make_url(server_url)
        self._prepare = prepare
        self._restore = restore
        self._spare: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._spare:
            self._execute(self._url, _DROP, name)

    @contextmanager
    def new(self) -> Iterator[str]:
        """Give the URL of a database that is empty, or as it was prepared."""
        name = _database_name()
        if self._spare:
            self._execute(self._url, _RENAME, self._spare.pop(), name)
        else:
            self._execute(self._url, "CREATE DATABASE {}", name)
            self._prepare(self._shown(name))
        try:
            yield self._shown(name)
        finally:
            self._take_back(name)

    def _take_back(self, name: str) -> None:
        """Restore a database for the next use; drop one to which its test has done too much."""
        spare = _database_name()
        try:
            self._execute(self._url.set(database=name), _DISCONNECT)
            self._execute(self._url, f"{_RENAME}; {_RESET}", name, spare, spare)
            self._execute(self._url.set(database=spare), self._restore)
        except psycopg.Error:
            for left in (name, spare):
                self._execute(self._url, _DROP, left)
        else:
            self._spare.append(spare)

    def _shown(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    @staticmethod
    def _execute(url: URL, statement: str, *names: str) -> None:
        text = url.render_as_string(hide_password=False)
        with psycopg.connect(text, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _database_name() -> str:
    """Return a name that no database has had: processes, and `Databases` of one, share servers."""
    return f"blox_test_{os.getpid()}_{next(_database_numbers)}"
