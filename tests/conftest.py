"""Fixtures that tests of all kinds share."""

import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import new_stores, servers
from tests.support.databases import Databases
from tests.support.typed import Typed

ASSETS = Path(__file__).parent / "assets"
_LOGGERS = ("blox_core", "blox_store", "blox_worker", "blox_worker.job_log")

# Collecting makes two million objects that live to the end. The garbage collector would look through them again and
# again, which took a fifth of the tests' time.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on, among new objects alone."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """Restore the levels of our loggers: `blox train`, typed in this process, silences one."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of facts about the published Blox; see tests/assets/README.md."""
    return ASSETS / "golden"


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Typed:
    """Runs commands in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    return Typed(capsys)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a real PostgreSQL server."""
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a real Redis server."""
    with servers.redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: str) -> Iterator[Databases]:
    """Databases on that server, dropped at the end."""
    with Databases(postgres_server) as databases:
        yield databases


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """URL of an empty PostgreSQL database, of which nothing is left at the end."""
    with postgres_databases.new() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_stores(postgres_server: str) -> Iterator[Databases]:
    """Databases on that server, each with a new store; dropped at the end."""
    with new_stores.postgres_stores(postgres_server) as databases:
        yield databases


@pytest.fixture
def postgres_store_url(postgres_stores: Databases) -> Iterator[str]:
    """URL of a new store in PostgreSQL."""
    with postgres_stores.new() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a new store, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    new_stores.migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_store_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    """URL of a new store in SQLite."""
    return new_stores.copy_sqlite_store(migrated_sqlite, tmp_path / "store.db")


@pytest.fixture
def own_store_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    """URL of a new store in the file that commands find by themselves."""
    return new_stores.copy_sqlite_store(migrated_sqlite, tmp_path / "blox.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """URL of a new store, in each kind of database in turn."""
    name = {"sqlite": "sqlite_store_url", "postgresql": "postgres_store_url"}[request.param]
    return request.getfixturevalue(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database, of each kind in turn."""
    name = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return request.getfixturevalue(name)
