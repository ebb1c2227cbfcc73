import signal

import pytest

from blox_worker.processes.kept_slot import exit_in_words
from blox_worker.processes.restarts import MAX_WAIT_S, Restarts
from blox_worker.settings import WorkerSettings


def restarts(**settings):
    return Restarts(WorkerSettings(**{"restart_backoff_s": 1, **settings}))


def test_the_wait_doubles_up_to_its_limit():
    row = restarts(restart_backoff_s=60, max_faults_in_a_row=6)
    waits = [row.wait_s(progressed=False) for _ in range(6)]
    assert waits == [60, 120, 240, 300, 300, None]
    assert row.in_a_row == 6


def test_progress_starts_a_new_row():
    row = restarts(max_faults_in_a_row=3)
    ends = [False, False, True, False, False, True]
    assert [row.wait_s(progressed=progressed) for progressed in ends] == [1, 2, 1, 1, 2, 1]
    assert row.in_a_row == 0


def test_a_child_that_makes_progress_is_never_given_up():
    row = restarts(max_faults_in_a_row=1)
    assert {row.wait_s(progressed=True) for _ in range(100)} == {1}
    assert row.wait_s(progressed=False) is None


def test_a_blameless_end_waits_and_does_not_count():
    row = restarts(max_faults_in_a_row=2)
    assert [row.wait_s(progressed=False, blameless=True) for _ in range(3)] == [1, 2, 4]
    assert [row.wait_s(progressed=False) for _ in range(2)] == [8, None]
    assert row.in_a_row == 2


def test_the_limit_holds_for_the_first_wait_too():
    row = restarts(restart_backoff_s=1e308, max_faults_in_a_row=10)
    assert row.wait_s(progressed=True) == MAX_WAIT_S
    assert row.wait_s(progressed=False) == MAX_WAIT_S


def test_very_many_ends_in_a_row_are_no_overflow():
    row = restarts(max_faults_in_a_row=5000)
    assert max(row.wait_s(progressed=False) for _ in range(4999)) == MAX_WAIT_S


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exit code 1"),
        (137, "exit code 137"),
        (-signal.SIGKILL, "signal SIGKILL"),
        (-signal.SIGSEGV, "signal SIGSEGV"),
        (-50, "signal 50"),
    ],
)
def test_an_exit_is_told_in_words(code, words):
    assert exit_in_words(code) == words
