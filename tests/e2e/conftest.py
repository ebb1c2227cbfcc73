"""Fixtures of the end-to-end tests."""

import pytest

from tests.commands import Commands


@pytest.fixture
def commands(tmp_path):
    """Runs commands in an empty folder."""
    made = Commands(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A folder in which the demo ran with 2 architectures and 1 epoch, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    printed = Commands(folder).succeed("blox demo --dir demo --architectures 2 --epochs 1")
    return folder / "demo", printed
