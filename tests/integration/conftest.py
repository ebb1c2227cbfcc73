"""Fixtures of the integration tests."""

import sys

import pytest

from blox_store.store import Store
from tests.support.job_runs import execute, make_run, make_worker, stored


@pytest.fixture
def store(sqlite_store_url):
    """A store in SQLite."""
    with Store(sqlite_store_url) as opened:
        yield opened


@pytest.fixture
def worker(tmp_path):
    """A worker that writes a checkpoint after every epoch."""
    return make_worker(tmp_path)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The stored result of a job that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Store(f"sqlite:///{folder}/store.db", migrate=True) as store:
        run = make_run(store)
        execute(store, run, make_worker(folder))
        return stored(store, run)[0]


@pytest.fixture(autouse=True)
def no_picture(request, monkeypatch):
    """Cards of releases without a picture, which takes longer than all else, unless one is asked for."""
    if "with_picture" not in request.fixturenames:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


@pytest.fixture
def with_picture():
    """Cards of releases with their picture."""
