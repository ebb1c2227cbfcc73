import pytest

from blox_worker.status.rates import eta_s, progress, rate_per_hour


@pytest.mark.parametrize(
    ("ended", "span_s", "rate"),
    [
        (0, 0.0, 0.0),
        (1, 1800.0, None),  # the first one only starts the span
        (2, 0.5, None),  # two workers that started together
        (2, 100.0, 36.0),
        (101, 3600.0, 100.0),
    ],
)
def test_a_rate_is_what_followed_the_first_job_over_the_time_since(ended, span_s, rate):
    assert rate_per_hour(ended, span_s) == rate


def test_a_rate_falls_while_nothing_ends():
    assert rate_per_hour(11, 600.0) == 60.0
    assert rate_per_hour(11, 1200.0) == 30.0


@pytest.mark.parametrize(
    ("jobs_left", "rate", "seconds"),
    [(0, None, 0.0), (0, 36.0, 0.0), (2.5, 36.0, 250.0), (3, None, None), (3, 0.0, None)],
)
def test_an_eta_is_what_is_left_at_the_rate(jobs_left, rate, seconds):
    assert eta_s(jobs_left, rate) == seconds


@pytest.mark.parametrize(
    ("left", "jobs", "share"), [(0, 0, None), (4, 4, 0), (1, 4, 0.75), (0, 4, 1)]
)
def test_progress_is_the_share_that_is_done(left, jobs, share):
    assert progress(left, jobs) == share
