"""Locks on devices, between real processes."""

import subprocess
import sys
from contextlib import contextmanager

from tests.support.device_locks import is_free

HOLD = """
import sys, threading
from pathlib import Path
from blox_worker.device.lock import DeviceLock
lock = DeviceLock(Path(sys.argv[1]), "cpu")
with lock.held(alone=sys.argv[2] == "alone", stop=threading.Event()):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_process(folder, how):
    """Let another process hold the lock; it gives it back when its input ends."""
    command = [sys.executable, "-c", HOLD, str(folder), how]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def test_trainings_share_a_device_and_keep_a_measurement_from_it(tmp_path):
    with other_process(tmp_path, "with others"):
        assert is_free(tmp_path, alone=False)
        assert not is_free(tmp_path, alone=True)
    assert is_free(tmp_path, alone=True)


def test_the_lock_of_a_measurement_goes_with_a_process_that_is_killed(tmp_path):
    with other_process(tmp_path, "alone") as process:
        assert not is_free(tmp_path, alone=False)
        assert not is_free(tmp_path, alone=True)
        process.kill()
        process.wait()
        assert is_free(tmp_path, alone=True)
