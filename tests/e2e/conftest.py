"""Fixtures of the end-to-end tests."""

import pytest

from tests.support.commands import DEMO, Commands
from tests.support.made_once import made_once


@pytest.fixture
def commands(tmp_path):
    """Runs commands in an empty folder."""
    made = Commands(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A folder in which the demo ran with 2 architectures and 1 epoch, and what it printed."""

    def run(folder):
        (folder / "printed").write_text(Commands(folder).succeed(DEMO))

    folder = made_once(tmp_path_factory, "demo", run)
    return folder / "demo", (folder / "printed").read_text()
