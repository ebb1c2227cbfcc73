import threading

import pytest

from blox_store.errors import SchemaMismatch, StoreUnavailable
from blox_worker import patience
from blox_worker.patience import opened, patiently, unless_stopped


class Away:
    """An action that fails a number of times."""

    def __init__(self, times, error=StoreUnavailable):
        self.tries = 0
        self._times = times
        self._error = error

    def __call__(self):
        self.tries += 1
        if self.tries <= self._times:
            raise self._error("away")
        return "back"


def test_an_outage_is_waited_out_and_each_try_is_told():
    told = []
    away = Away(2)
    answer = patiently(away, stop=threading.Event(), on_outage=lambda: told.append(away.tries))
    assert (answer, told) == ("back", [1, 2])


def test_a_stop_ends_the_waiting():
    stop = threading.Event()
    away = Away(99)
    with pytest.raises(StoreUnavailable):
        patiently(away, stop=stop, on_outage=stop.set)
    assert away.tries <= 2


def test_what_is_no_outage_is_raised_at_once():
    away = Away(1, SchemaMismatch)
    with pytest.raises(SchemaMismatch):
        patiently(away, stop=threading.Event())
    assert away.tries == 1


def test_a_store_that_is_away_is_opened_once_it_is_back(monkeypatch, caplog):
    away = Away(1)
    monkeypatch.setattr(patience, "Store", lambda url: (url, away()))
    assert opened("url", stop=threading.Event()) == ("url", "back")
    assert "away; trying again" in caplog.text


def test_an_outage_ends_a_block_well_if_a_stop_was_requested():
    stop = threading.Event()
    with pytest.raises(StoreUnavailable), unless_stopped(stop):
        raise StoreUnavailable("away")
    stop.set()
    with unless_stopped(stop):
        raise StoreUnavailable("away")
    with pytest.raises(SchemaMismatch), unless_stopped(stop):
        raise SchemaMismatch("old")
