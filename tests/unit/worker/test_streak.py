import pytest

from blox_worker.job.outcome import Ending, JobOutcome
from blox_worker.worker.suspicion import FailureStreak


def noted(*endings, limit=3):
    streak = FailureStreak(limit=limit)
    for index, (ending, elsewhere) in enumerate(endings):
        outcome = JobOutcome(
            run_id=1, arch_index=index, ending=ending, error="Boom: x", failed_elsewhere=elsewhere
        )
        streak.note(outcome)
    return streak


def test_different_jobs_that_failed_in_a_row_make_a_streak():
    streak = noted((Ending.RETRIED, False), (Ending.FAILED, False), (Ending.RETRIED, False))
    assert streak.is_too_long
    assert streak.jobs == [(1, 0), (1, 1), (1, 2)]
    assert streak.reason == "3 different jobs in a row failed here alone, the last by Boom: x"


def test_a_job_that_is_trained_to_the_end_breaks_it():
    failed = (Ending.RETRIED, False)
    assert not noted(failed, failed, (Ending.COMPLETED, False), failed).is_too_long


@pytest.mark.parametrize("ending", [Ending.STOPPED, Ending.LEASE_LOST])
def test_what_is_nobodys_fault_neither_breaks_nor_lengthens_it(ending):
    failed = (Ending.RETRIED, False)
    assert not noted(failed, (ending, False), failed).is_too_long
    assert noted(failed, (ending, False), failed, failed).is_too_long


def test_a_job_that_fails_everywhere_says_nothing_about_this_worker():
    assert not noted(*[(Ending.FAILED, True)] * 9).is_too_long


def test_the_same_job_counts_once():
    streak = FailureStreak(limit=2)
    for _ in range(5):
        streak.note(JobOutcome(run_id=1, arch_index=7, ending=Ending.RETRIED, error="x"))
    assert not streak.is_too_long
