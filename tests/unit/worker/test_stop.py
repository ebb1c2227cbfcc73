import os
import signal
import subprocess
import sys

import pytest

from blox_worker.stop import stop_requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request(number):
    before = signal.getsignal(number)
    with stop_requests() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(timeout=10)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_the_process_at_once(number):
    code = (
        "import os, threading\n"
        "from blox_worker.stop import stop_requests\n"
        "with stop_requests():\n"
        f"    os.kill(os.getpid(), {number:d}); os.kill(os.getpid(), {number:d})\n"
        "    threading.Event().wait(60)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    assert ended.returncode == 128 + number
