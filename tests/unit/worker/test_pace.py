import pytest

from blox_worker.job import pace as pace_module
from blox_worker.job.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    times = [0.0]
    monkeypatch.setattr(pace_module.time, "monotonic", lambda: times[0])
    return times


def test_the_pace_is_that_of_the_last_epoch(clock):
    pace = Pace()
    assert pace.images_per_s is None
    clock[0] = 100.0
    pace.start()
    assert pace.images_per_s is None
    clock[0] = 110.0
    pace.epoch_ended(45_000)
    assert pace.images_per_s == 4500
    clock[0] = 111.0
    pace.epoch_ended(45_000)
    assert pace.images_per_s == 45_000


def test_without_a_training_there_is_no_pace(clock):
    pace = Pace()
    pace.start()
    clock[0] = 1.0
    pace.epoch_ended(7)
    pace.end()
    assert pace.images_per_s is None
    pace.start()
    assert pace.images_per_s is None


def test_an_epoch_that_took_no_time_says_nothing(clock):
    pace = Pace()
    pace.start()
    pace.epoch_ended(7)
    assert pace.images_per_s is None
