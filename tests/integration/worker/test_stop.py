import os
import signal
import subprocess
import sys

import pytest

from blox_worker.processes.stop import stop_requests


def ended_by(*signals, prepare="", launched=False):
    """Return the exit code of a process that sends itself these signals and then exits by 7."""
    code = (
        "import os, sys\n"
        "from blox_worker.processes.stop import stop_requests\n"
        f"with stop_requests(launched={launched}) as stop:\n"
        f"    {prepare or 'pass'}\n"
        f"    for number in {[int(number) for number in signals]}:\n"
        "        os.kill(os.getpid(), number)\n"
        "sys.exit(7 if stop.is_set() else 8)\n"
    )
    return subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request(number):
    before = signal.getsignal(number)
    with stop_requests() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(timeout=10)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_the_second_signal_ends_the_process_at_once(first, second):
    assert ended_by(first, second) == 128 + second


@pytest.mark.parametrize("launched", [False, True])
def test_sigquit_ends_the_process_at_once(launched):
    assert ended_by(signal.SIGQUIT, launched=launched) == 128 + signal.SIGQUIT
    assert ended_by(signal.SIGTERM, signal.SIGQUIT, launched=launched) == 128 + signal.SIGQUIT


@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGINT), (signal.SIGQUIT,)])
def test_a_main_thread_that_is_busy_elsewhere_can_be_ended(signals):
    """As in a long call into a library, which no Python handler interrupts."""
    code = (
        "import hashlib, threading\n"
        "from blox_worker.processes.stop import stop_requests\n"
        "def tell():\n"
        "    stop.wait()\n"
        "    print('asked', flush=True)\n"
        "with stop_requests() as stop:\n"
        "    threading.Thread(target=tell, daemon=True).start()\n"
        "    print('busy', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        for number in signals:  # one after the other: of two at once either may come first
            assert process.stdout.readline() in (b"busy\n", b"asked\n")
            process.send_signal(number)
        assert process.wait(timeout=30) == 128 + signals[-1]


def test_a_request_without_a_signal_leaves_the_first_signal_a_request():
    assert ended_by(signal.SIGTERM, prepare="stop.set()") == 7
    assert ended_by(signal.SIGTERM, signal.SIGTERM, prepare="stop.set()") == 128 + signal.SIGTERM


def test_under_a_launcher_a_request_may_come_several_times():
    """A service manager asks all processes of a service, and the launcher asks its children."""
    assert ended_by(signal.SIGTERM, signal.SIGTERM, signal.SIGINT, launched=True) == 7
