"""What fails a unit test: a second of CPU without the marker, a process, a server."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.unit import conftest


def end_call(test: pytest.Item, cpu_s: float, slowness: float = 1) -> None:
    """End the call of a test as if it had taken so much CPU, on a machine so slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conftest, "slowness", lambda: slowness)
        patch.setattr(time, "process_time", iter((5.0, 5.0 + cpu_s)).__next__)
        call = conftest.pytest_runtest_call(test)
        next(call)
        with pytest.raises(StopIteration):
            call.send(None)


def test_a_second_of_cpu_is_for_slow_tests(request: pytest.FixtureRequest) -> None:
    end_call(request.node, 0.9)
    with pytest.raises(
        pytest.fail.Exception, match=r"1\.2 s of CPU, which must be at most 1: shor"
    ):
        end_call(request.node, 1.2)
    end_call(request.node, 1.2, slowness=1.3)
    request.node.add_marker("slow")
    end_call(request.node, 1.2)


def serve() -> None:
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))


STARTS = {
    "subprocess": lambda: subprocess.run([sys.executable, "--version"], check=False),
    "shell": lambda: os.system("true"),
    "fork": os.fork,
    "spawned": lambda: multiprocessing.get_context("spawn").Process(target=print).start(),
    "server": serve,
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_process_or_a_server_is_refused(start: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="unit tests start no process or server; move"):
        start()
