"""A store of each kind, and a run of three jobs in it."""

import pytest

from blox_store.store import Store
from tests.support.store_jobs import make_run, schedule


@pytest.fixture
def store(store_url):
    """A new store, on each kind of database in turn."""
    with Store(store_url) as opened:
        yield opened


@pytest.fixture
def run(store):
    """A run with the jobs 3, 5 and 7, and a scheduler."""
    made, _ = make_run(store)
    schedule(store, made)
    store.runs.add_jobs(made.id, [7, 3, 5])
    return made
