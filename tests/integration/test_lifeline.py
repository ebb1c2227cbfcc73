"""Both ends of a lifeline, in this process and in a child."""

import os
import subprocess
import sys
import threading

import pytest

from blox_worker.processes.lifeline import ChildLine, Lifeline
from tests.support.servers import wait_until


@pytest.fixture
def line():
    """The launcher's end of a lifeline."""
    made = ChildLine()
    yield made
    made.close()


@pytest.fixture
def child(line):
    """The other end, as a child gets it."""
    made = Lifeline(os.dup(line.child_descriptor))
    line.handed_over()
    yield made
    made.close()


def test_the_launcher_learns_of_progress_and_of_the_last_fault(line, child):
    line.read()
    assert (line.progress, line.fault, line.is_open) == (0, None, True)
    child.progress()
    child.progress()
    child.fault("CUDA error:\n  the GPU is gone")
    child.fault("OSError: disk full — ÄÖÜ")
    line.read()
    assert line.progress == 1
    assert line.fault == "OSError: disk full — ÄÖÜ"
    assert line.is_open


def test_what_a_child_says_last_is_read_after_its_death(line, child):
    child.fault("x" * 1000)
    child.close()
    line.read()
    assert line.fault == "x" * 500
    assert not line.is_open


def test_a_message_may_come_in_pieces(line, child):
    for piece in (b"fau", b"lt disk", b" full\nprogress\nnon", b"sense\n"):
        child._socket.send(piece)
        line.read()
    assert (line.progress, line.fault) == (1, "disk full")


def test_a_launcher_that_does_not_read_holds_up_nobody(line, child):
    for number in range(2000):
        child.fault(f"fault {number} " + "x" * 500)
    line.read()
    assert line.fault.startswith("fault ")
    child.progress()
    line.read()
    assert line.progress == 1


def test_a_child_says_that_nobody_is_to_blame(line, child):
    assert not line.is_blameless
    child.blameless()
    line.read()
    assert (line.is_blameless, line.progress, line.fault) == (True, 0, None)


def test_the_death_of_the_launcher_is_a_call(line, child):
    called = threading.Event()
    child.on_parent_death(called.set)
    assert not called.is_set()
    line.close()
    assert called.wait(timeout=30)
    child.progress()
    child.fault("nobody hears it")


def test_a_launcher_that_dies_with_messages_unread_is_dead_too(line, child):
    called = threading.Event()
    child.fault("unread")
    line.close()
    child.on_parent_death(called.set)
    assert called.wait(timeout=30)


def test_a_grandchild_does_not_keep_a_lifeline_open(line, tmp_path):
    code = (
        "import subprocess, sys\n"
        "from blox_worker.processes.lifeline import Lifeline\n"
        "Lifeline(int(sys.argv[1])).progress()\n"
        "subprocess.Popen(['sleep', '300'], close_fds=False, stdout=sys.stdout)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(line.child_descriptor)],
        pass_fds=[line.child_descriptor],
        start_new_session=True,
    ) as process:
        line.handed_over()
        process.wait(timeout=30)
    try:

        def closed():
            line.read()
            return not line.is_open

        wait_until(closed, "the lifeline to close", 30)
        assert line.progress == 1
    finally:
        os.killpg(process.pid, 9)


def test_what_is_no_socket_is_no_lifeline(tmp_path):
    with (tmp_path / "file").open("w") as file, pytest.raises(OSError, match="non-socket"):
        Lifeline(file.fileno())
