"""A store of one run with three jobs, and the folder that its release goes to."""

import pytest

from blox_store.store import Store
from tests.support.exports import COSTS, DIGITS, SHAPE
from tests.support.results import made_up_run


@pytest.fixture
def store(store_url):
    with Store(store_url) as opened:
        opened.static.add_architectures(SHAPE, [(i, *cost) for i, cost in COSTS.items()])
        yield opened


@pytest.fixture
def out(tmp_path):
    """A release folder that does not exist yet."""
    return tmp_path / "release"


@pytest.fixture
def run(store):
    return made_up_run(store, DIGITS, indices=(3, 5, 7))
