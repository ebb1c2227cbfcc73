"""Keeps unit tests units: one that takes a second of CPU, or starts a process or a server, fails."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

MOST_CPU_S: Final = 1.0  # of a processor that squares half a million numbers in this time
SQUARES_S: Final = 0.03
# As Python's audit events call them; multiprocessing has none for a process that it spawns.
STARTS: Final = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
    "socket.bind",
    "subprocess.Popen",
}
_refusing = False


def _refuse(event: str, arguments: object = ()) -> None:
    if _refusing and event in STARTS:
        pytest.fail(f"{event}: unit tests start no process or server; move it to tests/integration")


sys.addaudithook(_refuse)  # it stays until Python ends, also while other tests run


def pytest_collection_finish() -> None:
    """Ask git for the commit, which trainings record, before tests begin that may not."""
    if "torch" in sys.modules:
        import torch

        from blox_core.training.provenance import environment_of

        environment_of(torch.device("cpu"))


def slowness() -> float:
    """Return how many times as much CPU as it should this processor takes now, beside others' work."""
    begun_at = time.process_time()
    sum(number * number for number in range(500_000))
    return (time.process_time() - begun_at) / SQUARES_S


@contextmanager
def _refused() -> Iterator[None]:
    global _refusing
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("multiprocessing.util.spawnv_passfds", lambda *_: _refuse("os.posix_spawn"))
        _refusing = True
        try:
            yield
        finally:
            _refusing = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Refuse processes to fixtures; their ends may be those of other tests' fixtures."""
    with _refused():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Refuse processes, and a second of CPU: what tests share is made by fixtures and imports."""
    begun_at = time.process_time()
    with _refused():
        result = yield
    cpu_s = time.process_time() - begun_at
    is_slow = item.get_closest_marker("slow") is not None
    if cpu_s > MOST_CPU_S and not is_slow and cpu_s > MOST_CPU_S * slowness():
        pytest.fail(
            f"it took {cpu_s:.1f} s of CPU, which must be at most {MOST_CPU_S:g}: shorten it, or "
            "mark it as slow",
            pytrace=False,
        )
    return result
