"""The launcher with real child processes and real signals; nobody is left behind."""

import os
import signal
import time
from collections import Counter

import psutil
import pytest

from blox_worker.device.slots import Slot
from blox_worker.processes.launcher import launch
from blox_worker.settings import WorkerSettings
from tests.support.launched import BACKOFF, SLOTS, Launched
from tests.support.servers import wait_until


@pytest.fixture
def launched(tmp_path):
    """A launcher to start; in the end no process is left."""
    made = Launched(tmp_path)
    yield made
    left = [pid for *_, pid in made.events("started") if psutil.pid_exists(pid)]
    try:
        assert made.process is None or made.process.poll() is not None
        assert left == []
    finally:
        for pid in [*left, *([] if made.process is None else [made.process.pid])]:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
        if made.process is not None:
            made.process.communicate()


def test_a_child_that_dies_is_started_again_and_one_that_finishes_is_not(launched):
    # One write per line: the children share their standard output.
    launched.start(
        """
        if name == "gpu0@host" and starts() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(1, f"by {os.environ['SLOT']} {sys.stdin.read() == ''}\\n".encode())
        """
    )
    code, out, err = launched.ended()
    assert code == 0
    assert sorted(out.splitlines()) == ["by gpu0@host True", "by gpu1@host True", "launched"]
    assert err == "gpu0@host ended: signal SIGKILL; starting it again in 0.05 s\n"
    assert sorted(slot for slot, *_ in launched.events("started")) == [
        *("gpu0@host", "gpu0@host", "gpu1@host")
    ]


def test_each_slot_ends_in_its_own_way(launched):
    launched.start(
        """
        if name == "dies":
            sys.exit(5)
        if name == "faulty":
            lifeline.fault("OSError: disk full")
            sys.exit(1)
        if name == "useless":
            sys.exit(USELESS)
        if name == "outdated":
            sys.exit(lifeline.useless("database d: run blox migrate"))
        if starts() == 3:
            lifeline.progress()  # which starts the row of its ends again
        sys.exit(0 if starts() == 6 else 1)
        """,
        slots=["dies", "faulty", "useless", "outdated", "progresses"],
    )
    code, out, err = launched.ended()
    assert code == 0  # one has finished
    row = "ended 3 times in a row, the last by: "
    assert sorted(out.splitlines()) == [
        f"given up dies: {row}exit code 5",
        f"given up faulty: {row}OSError: disk full",
        "launched",
    ]
    for line in (
        f"dies is given up: {row}exit code 5\n",
        "useless does no more; 'blox status' says why\n",
        "outdated does no more: database d: run blox migrate\n",
    ):
        assert err.count(line) == 1
    started = Counter(slot for slot, *_ in launched.events("started"))
    assert started == {"dies": 3, "faulty": 3, "useless": 1, "outdated": 1, "progresses": 6}


def test_a_launcher_whose_children_do_no_more_has_failed(launched):
    launched.start("sys.exit(USELESS)", slots=["a@h"])
    assert launched.ended()[:2] == (1, "launched\n")


def test_a_launcher_that_stays_waits_for_a_stop_when_no_worker_is_left(launched):
    launched.start("sys.exit(5)", stays=True)
    for line in iter(launched.process.stderr.readline, ""):
        if "no worker is left; mend the node, then start this launcher again" in line:
            break
    assert launched.process.poll() is None
    assert len(launched.events("started")) == 6
    launched.process.terminate()
    code, _, err = launched.ended()
    assert code == 1
    assert "no worker is left" not in err


def test_one_slot_that_is_given_up_does_not_stop_the_others(launched):
    launched.start("sys.exit(1) if name == 'gpu0@host' else wait_for_stop()")
    launched.wait_for("ready", 1)
    launched.wait_for("started", 4)
    assert "given up gpu0@host" in launched.process.stdout.readline()
    launched.process.terminate()
    code, out, _ = launched.ended()
    assert (code, out) == (0, "launched\n")


def test_a_command_that_cannot_be_started_counts_as_a_child_that_died(tmp_path):
    told = []
    code = launch(
        [Slot(name="a@h", device="cpu", environment={})],
        lambda slot, lifeline: [str(tmp_path / "nothing")],
        settings=WorkerSettings(**BACKOFF),
        on_stopped=lambda slot, reason: told.append((slot.name, reason)),
    )
    assert code == 1
    ((name, reason),) = told
    assert name == "a@h"
    assert "ended 3 times in a row, the last by: cannot be started: [Errno 2]" in reason


def check_that_a_terminal_asks_no_child(launched):
    """Check that each child is in a group and a session of its own."""
    groups = {os.getpgid(pid) for pid in launched.pids()}
    assert groups == set(launched.pids())
    assert {os.getsid(pid) for pid in launched.pids()} == groups


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_the_children(launched, number):
    launched.start("wait_for_stop()")
    launched.wait_for("ready", 2)
    check_that_a_terminal_asks_no_child(launched)
    launched.process.send_signal(number)
    code, out, err = launched.ended()
    assert (code, out) == (0, "launched\n")
    assert err == "stopping as asked; waiting for gpu0@host, gpu1@host\n"
    assert len(launched.events("stopping")) == 2
    assert len(launched.events("started")) == 2


def test_a_signal_while_children_are_being_started_reaches_all(launched):
    names = [f"gpu{number}@host" for number in range(8)]
    launched.start("wait_for_stop()", slots=names)
    launched.wait_for("started", 1)
    launched.process.terminate()
    code, out, _ = launched.ended()
    assert (code, out) == (0, "launched\n")
    assert len(launched.events("ready")) == len(launched.events("stopping"))


@pytest.mark.parametrize(
    "come",
    [
        lambda launched: True,
        lambda launched: len(launched.pids()) >= 1,
        lambda launched: len(launched.pids()) >= 2,
        lambda launched: len(launched.events("ready")) >= 1,
    ],
    ids=["at-once", "first-child", "second-child", "first-handler"],
)
def test_a_signal_at_any_moment_ends_launcher_and_children(launched, come):
    launched.start("wait_for_stop()")
    wait_until(lambda: come(launched), "the moment")
    launched.process.terminate()
    code, _, err = launched.ended()
    assert code in (0, -signal.SIGTERM), err  # before it had a handler it had no children


def test_children_that_end_badly_when_asked_are_not_started_again(launched):
    launched.start(
        """
        with stop_requests() as stop:
            note("ready")
            stop.wait()
            note("stopping")
            if name == "gpu0@host":
                sys.exit(9)
            threading.Event().wait()
        """
    )
    launched.wait_for("ready", 2)
    launched.process.terminate()
    launched.wait_for("stopping", 2)
    (hanging,) = (pid for slot, _, pid in launched.events("stopping") if slot == "gpu1@host")
    os.kill(hanging, signal.SIGKILL)
    code, _, err = launched.ended()
    assert code == 1
    assert "gpu0@host was asked to stop and ended by exit code 9\n" in err
    assert "gpu1@host was asked to stop and ended by signal SIGKILL\n" in err
    assert len(launched.events("started")) == 2


def test_a_stop_ends_the_wait_for_the_next_start(launched):
    launched.start("sys.exit(1)", restart_backoff_s=3600)
    launched.wait_for("started", 2)
    wait_until(lambda: not launched.pids(), "the children to end")
    launched.process.terminate()
    code, out, _ = launched.ended()
    assert (code, out) == (0, "launched\n")
    assert len(launched.events("started")) == 2


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_the_second_signal_ends_the_children_at_once(launched, second):
    launched.start(
        """
        with stop_requests(launched=True) as stop:
            note("ready")
            stop.wait()
            note("stopping")
            threading.Event().wait()
        """
    )
    launched.wait_for("ready", 2)
    launched.process.terminate()
    launched.wait_for("stopping", 2)
    launched.process.send_signal(second)
    code, _, err = launched.ended()
    assert code == 128 + second
    assert "gpu0@host was asked to stop and ended by exit code 131\n" in err


def test_sigquit_does_not_wait(launched):
    launched.start("wait_for_stop()")
    launched.wait_for("ready", 2)
    launched.process.send_signal(signal.SIGQUIT)
    code, _, err = launched.ended()
    assert code == 128 + signal.SIGQUIT
    assert err.count("was asked to stop and ended by exit code 131\n") == 2, err


@pytest.mark.slow  # the launcher waits 5 s before it kills
def test_a_child_that_ignores_every_request_is_killed_with_what_it_started(launched):
    launched.start(
        """
        for number in (signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            note("started")
        note("ready")
        threading.Event().wait()
        """,
        slots=["a@h"],
    )
    launched.wait_for("ready", 2)
    asked = time.monotonic()
    launched.process.send_signal(signal.SIGQUIT)
    code, _, err = launched.ended()
    assert time.monotonic() - asked >= 5
    assert code == 128 + signal.SIGQUIT
    assert "a@h was asked to stop and ended by signal SIGKILL\n" in err
    orphan = launched.events("started")[-1][-1]
    wait_until(lambda: not psutil.pid_exists(orphan), "the grandchild to be gone")


def test_a_launcher_that_is_killed_takes_its_children_along(launched):
    launched.start("wait_for_stop()")
    launched.wait_for("ready", 2)
    pids = launched.pids()
    launched.process.kill()
    launched.wait_for("stopping", 2)
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), "the children to end")
    launched.ended()


def test_a_store_that_is_away_does_not_hold_up_a_stop(launched):
    launched.start("sys.exit(1)", on_stopped="import threading; threading.Event().wait()")
    for _ in SLOTS:
        assert "given up" in launched.process.stdout.readline()
    assert launched.process.poll() is None
    launched.process.terminate()
    code, out, _ = launched.ended()
    assert (code, out) == (1, "launched\n")


def test_what_breaks_in_the_launcher_leaves_no_child_behind(launched):
    launched.start("wait_for_stop()", unless="if slot.name == 'gpu0@host' else 1 / 0")
    code, _, err = launched.ended()
    assert code == 1
    assert "ZeroDivisionError" in err
    assert {name for name, *_ in launched.events()} <= {"gpu0@host"}
