"""The contract of measurements, on every database."""

import pytest
from sqlalchemy import select

from blox_core.latency import LATENCY, LATENCY_REVISION, preset
from blox_store.errors import LeaseLost, StoreError
from blox_store.store import JobState, schema
from tests.latencies import measured
from tests.store_jobs import LONG_S, OTHER_HOST, SHORT_S, A, expire, job, schedule, start

IDENTITY = {"name": "a CPU", "clock_mhz": None, "cores": 2}
PROTOCOL = preset("torch-cpu")


def make_run(store, device="cpu-1", protocol=PROTOCOL):
    run, _ = store.runs.create(
        dataset=device,
        recipe=protocol.to_dict(),
        recipe_fingerprint=protocol.fingerprint,
        seed=0,
        trainer=LATENCY,
        trainer_revision=LATENCY_REVISION,
    )
    store.runs.add_jobs(run.id, [3, 5])
    return run


@pytest.fixture
def measuring(store):
    """A run that measures the architectures 3 and 5."""
    return make_run(store)


def claim(store, run, index, *, lease_s=LONG_S):
    return store.jobs.claim(
        run, index, worker="w@here", trainer_revision=LATENCY_REVISION, lease_s=lease_s
    )


def latencies(store, device="cpu-1"):
    with store.snapshot() as connection:
        rows = connection.execute(select(schema.latencies).filter_by(device=device))
        return {row.arch_index: row.latency_ms for row in rows}


def test_a_measurement_comes_back_and_is_a_latency_of_the_device(store, measuring):
    store.measurements.complete(
        measuring, claim(store, measuring, 5), measured(), identity=IDENTITY
    )
    assert store.measurements.all(measuring.id) == {5: measured()}
    assert store.measurements.identities(measuring.id) == [IDENTITY]
    assert latencies(store) == {5: 3.5}
    ended = job(store, measuring, 5)
    assert (ended.state, ended.epoch) == (JobState.SUCCEEDED, 1)
    assert store.measurements.finished_within(measuring.id, 60)[0] == 1
    assert store.results.finished_within(measuring.id, 60) == (0, 0.0)


def test_a_device_is_described_by_its_run(store, measuring):
    other = make_run(store, "cpu-0")
    for index, stable in ((3, False), (5, True)):
        store.measurements.complete(
            measuring, claim(store, measuring, index), measured(stable=stable), identity=IDENTITY
        )
    with store.snapshot() as connection:
        unmeasured, found = store.measurements.devices(connection, range(10))
        (_, elsewhere) = store.measurements.devices(connection, range(4, 10))
    assert (unmeasured.name, unmeasured.identities, unmeasured.unstable) == ("cpu-0", (), ())
    assert unmeasured.protocol_fingerprint == other.recipe_fingerprint
    assert (found.name, found.identities, found.unstable) == ("cpu-1", (IDENTITY,), (3,))
    assert found.protocol == PROTOCOL.to_dict()
    assert elsewhere.unstable == ()


def test_writing_it_twice_under_one_lease_is_one_success(store, measuring):
    lease = claim(store, measuring, 3)
    for _ in range(2):
        store.measurements.complete(measuring, lease, measured(), identity=IDENTITY)
    assert latencies(store) == {3: 3.5}


def test_a_lease_that_was_lost_writes_nothing(store, measuring):
    lease = claim(store, measuring, 3, lease_s=SHORT_S)
    expire(store, measuring, 3)
    store.jobs.reap(max_attempts=3)
    store.measurements.complete(
        measuring, claim(store, measuring, 3), measured(4.0), identity=IDENTITY
    )
    with pytest.raises(LeaseLost):
        store.measurements.complete(measuring, lease, measured(), identity=IDENTITY)
    assert latencies(store) == {3: 4.0}


def test_a_latency_that_a_release_gave_is_not_overwritten(store, measuring):
    store.static.add_latencies("cpu-1", {3: 1.0})
    lease = claim(store, measuring, 3)
    with pytest.raises(StoreError, match="measure under another --device-name"):
        store.measurements.complete(measuring, lease, measured(), identity=IDENTITY)
    assert latencies(store) == {3: 1.0}
    assert job(store, measuring, 3).state is JobState.RUNNING


def test_a_run_that_measures_is_found_by_its_device_and_not_among_trainings(store, run, measuring):
    assert store.runs.find() == run
    assert store.runs.find(measured="cpu-1") == measuring == store.runs.find(measuring.id)
    assert (measuring.measures, measuring.epochs) == (True, 1)
    assert str(measuring).startswith(f"run {measuring.id}: latency on cpu-1, protocol ")


def test_workers_that_train_are_none_of_a_run_that_measures(store, run, measuring):
    schedule(store, measuring)
    start(store, A)
    start(store, OTHER_HOST, run_id=measuring.id)
    assert store.workers.living(run.id) == [A]
    assert store.workers.living(measuring.id) == [OTHER_HOST]


def test_each_device_has_a_queue_of_its_own(store, run, measuring):
    other = make_run(store, "cpu-2")
    store.jobs.mark_queued(run.id, [3])
    store.jobs.mark_queued(measuring.id, [3, 5])
    assert [store.jobs.queued_beside(one) for one in (run, measuring, other)] == [1, 2, 0]
