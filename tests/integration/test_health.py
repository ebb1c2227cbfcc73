"""What `blox health` finds in a store of each kind."""

import pytest

from blox_store.store import Store
from blox_worker.device.slots import measuring
from blox_worker.errors import Unhealthy
from blox_worker.status.health import check_scheduler, check_store, check_workers
from tests.support.latencies import measuring_run
from tests.support.servers import wait_until
from tests.support.store_jobs import LONG_S, SHORT_S, make_run, start

HOST = "node1"


@pytest.fixture
def store(store_url):
    with Store(store_url) as opened:
        yield opened


def hold(store, holder, *, lease_s=LONG_S):
    """Let a run that is made for it have this scheduler; return its number."""
    run, _ = make_run(store)
    assert store.schedulers.hold(run.id, holder=holder, token="t", lease_s=lease_s)
    return run.id


def test_a_store_that_answers_is_well(store):
    assert check_store(store, HOST) == f"{store.url} answers"


def test_a_scheduler_is_well_while_its_lease_is_fresh(store):
    with pytest.raises(Unhealthy, match=r"no run of .* has a scheduler whose lease is fresh"):
        check_scheduler(store, HOST)
    run_id = hold(store, f"{HOST}:7", lease_s=SHORT_S)
    wait_until(lambda: store.schedulers.holder(run_id) is None, "the lease to expire")
    with pytest.raises(Unhealthy):
        check_scheduler(store, HOST)
    hold(store, f"{HOST}:7")
    assert check_scheduler(store, HOST) == f"run {run_id}: scheduler {HOST}:7"


def test_a_scheduler_that_stands_by_is_well(store):
    run_id = hold(store, "other:7")
    assert check_scheduler(store, HOST) == f"run {run_id}: scheduler other:7"


def test_a_scheduler_of_latencies_does_not_stand_for_that_of_a_training(store):
    run = measuring_run(store)
    assert store.schedulers.hold(run.id, holder=f"{HOST}:8", token="t", lease_s=600)
    assert check_scheduler(store, HOST) == f"run {run.id}: scheduler {HOST}:8"
    run_id = hold(store, f"{HOST}:7", lease_s=SHORT_S)
    wait_until(lambda: store.schedulers.holder(run_id) is None, "the lease to expire")
    with pytest.raises(Unhealthy, match="has a scheduler whose lease is fresh"):
        check_scheduler(store, HOST)


def test_a_host_without_a_worker_is_not_well(store):
    start(store, "gpu0@other")
    with pytest.raises(Unhealthy, match="no worker of host node1 is registered in "):
        check_workers(store, HOST)


def test_workers_are_well_while_all_are_seen_and_none_has_stopped(store):
    start(store, f"gpu0@{HOST}", f"gpu1@{HOST}", "gpu0@other")
    store.workers.stop("gpu0@other", "no matter here")
    assert check_workers(store, HOST) == f"gpu0@{HOST} idle, gpu1@{HOST} idle"
    start(store, measuring(f"gpu1@{HOST}"))
    store.workers.stop(measuring(f"gpu1@{HOST}"), "another machine")
    assert check_workers(store, HOST) == f"gpu0@{HOST} idle, gpu1@{HOST} idle"
    store.workers.stop(f"gpu1@{HOST}", "its GPU is gone")
    with pytest.raises(
        Unhealthy, match=f"gpu0@{HOST} idle, gpu1@{HOST} stopped; see 'blox status'"
    ):
        check_workers(store, HOST)
