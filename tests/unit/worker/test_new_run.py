"""Which run measures a device: one, by one protocol and one revision of what measures."""

import re
from dataclasses import replace

import pytest

from blox_core.latency import LATENCY_REVISION
from blox_store.errors import StoreError
from blox_store.store import Store
from blox_worker.new_run import make_measuring_run
from tests.support.latencies import PROTOCOL, add_latencies, measuring_run


@pytest.fixture
def store(sqlite_store_url):
    with Store(sqlite_store_url) as opened:
        yield opened


def make(store, protocol=PROTOCOL):
    return make_measuring_run(store, protocol, device_name="cpu-1", indices=[3])


def test_the_same_protocol_is_the_same_run(store):
    assert make(store).run == measuring_run(store)


def test_another_protocol_takes_the_options_of_then_or_another_name(store):
    run = make(store).run
    message = f"cpu-1 is measured by {run} with another protocol; give another --device-name, or"
    with pytest.raises(StoreError, match=message):
        make(store, replace(PROTOCOL, batch=32))


@pytest.mark.parametrize("protocol", [PROTOCOL, replace(PROTOCOL, batch=32)])
def test_another_revision_is_no_matter_of_options(store, monkeypatch, protocol):
    make(store)
    newer = LATENCY_REVISION + 1
    monkeypatch.setattr("blox_worker.new_run.LATENCY_REVISION", newer)
    message = (
        f"of revision {LATENCY_REVISION}, and this version of Blox measures by revision {newer}"
    )
    with pytest.raises(StoreError, match=re.escape(message)) as refused:
        make(store, protocol)
    assert str(refused.value).endswith("or give another --device-name")


def test_latencies_of_a_release_keep_their_name(store):
    add_latencies(store, "cpu-1", {3: 1.0})
    with pytest.raises(StoreError, match="latencies on cpu-1 that came with a release; measure"):
        make(store)
