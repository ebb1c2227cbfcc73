"""The contract of measurements, on every database."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from blox_core.latency import LATENCY_REVISION, preset
from blox_store.errors import DeviceDiffers, LeaseLost, StoreError
from blox_store.store import JobState, MeasuredDevice, schema
from tests.support.latencies import (
    IDENTITY,
    PROTOCOL,
    add_latencies,
    identities,
    measured,
    measurements,
    measuring_run,
)
from tests.support.store_jobs import LONG_S, OTHER_HOST, SHORT_S, A, expire, job, schedule, start

GPU = IDENTITY | {"name": "a GPU", "driver": "570.86", "cuda": "13.0", "cudnn": "91900"}


@pytest.fixture
def measuring(store):
    """A run that measures the architectures 3 and 5."""
    return measuring_run(store)


def claim(store, run, index, *, lease_s=LONG_S):
    return store.jobs.claim(
        run, index, worker="w@here", trainer_revision=LATENCY_REVISION, lease_s=lease_s
    )


def latencies(store, device="cpu-1"):
    with store._database.read() as connection:
        rows = connection.execute(select(schema.latencies).filter_by(device=device))
        return {row.arch_index: row.latency_ms for row in rows}


def test_a_measurement_comes_back_and_is_a_latency_of_the_device(store, measuring):
    store.measurements.complete(
        measuring, claim(store, measuring, 5), measured(), identity=IDENTITY
    )
    assert measurements(store, measuring.id) == {5: measured()}
    assert identities(store, measuring.id) == [IDENTITY]
    assert latencies(store) == {5: 3.5}
    ended = job(store, measuring, 5)
    assert (ended.state, ended.epoch) == (JobState.SUCCEEDED, 1)
    assert store.measurements.finished_within(measuring.id, 60)[0] == 1
    assert store.results.finished_within(measuring.id, 60) == (0, 0.0)


def test_a_device_is_described_by_its_run(store, measuring):
    other = measuring_run(store, "cpu-0")
    for index, stable in ((3, False), (5, True)):
        store.measurements.complete(
            measuring, claim(store, measuring, index), measured(stable=stable), identity=IDENTITY
        )
    with store.snapshot() as snapshot:
        unmeasured, found = snapshot.measured_devices(range(10))
        (_, elsewhere) = snapshot.measured_devices(range(4, 10))
    assert (unmeasured.name, unmeasured.identities, unmeasured.unstable) == ("cpu-0", (), ())
    assert unmeasured.protocol_fingerprint == other.recipe_fingerprint
    assert (found.name, found.identities, found.unstable) == ("cpu-1", (IDENTITY,), (3,))
    assert found.protocol == PROTOCOL.to_dict()
    assert elsewhere.unstable == ()


def test_the_first_measurement_decides_on_the_device(store, measuring):
    first, second = (claim(store, measuring, index) for index in (3, 5))
    store.measurements.check_device(measuring, IDENTITY)
    store.measurements.complete(measuring, first, measured(), identity=IDENTITY)
    other = IDENTITY | {"cores": 4}
    with pytest.raises(DeviceDiffers, match="cores 4, not 2; measure it under another"):
        store.measurements.check_device(measuring, other)
    with pytest.raises(DeviceDiffers, match="cores 4, not 2; measure it under another"):
        store.measurements.complete(measuring, second, measured(), identity=other)
    assert latencies(store) == {3: 3.5}
    assert job(store, measuring, 5).state is JobState.RUNNING


UPDATED = {"clock_mhz": 2600, "python": "3.11.8", "system": "Linux-6.1.0-99"}


@pytest.mark.parametrize(
    ("first", "second"), [(IDENTITY, IDENTITY | UPDATED), (GPU, GPU | UPDATED | {"cores": 64})]
)
def test_a_device_outlives_what_decides_nothing_and_each_identity_is_kept(
    store, measuring, first, second
):
    store.measurements.complete(measuring, claim(store, measuring, 3), measured(), identity=first)
    store.measurements.check_device(measuring, second)
    store.measurements.complete(measuring, claim(store, measuring, 5), measured(), identity=second)
    assert identities(store, measuring.id) == [first, second]
    assert devices(store)[0].identities == (first, second)


@pytest.mark.parametrize(
    "name", ["name", "instructions", "driver", "cuda", "cudnn", "torch", "onnxruntime"]
)
def test_what_decides_on_a_device(store, measuring, name):
    store.measurements.complete(measuring, claim(store, measuring, 3), measured(), identity=GPU)
    with pytest.raises(DeviceDiffers, match=f": {name} 'other', not '{GPU[name]}'; measure"):
        store.measurements.check_device(measuring, GPU | {name: "other"})


def test_of_two_machines_that_end_at_once_one_is_refused(store, measuring):
    leases = [claim(store, measuring, index) for index in (3, 5)]
    together = threading.Barrier(2)

    def complete(lease, cores):
        together.wait()
        try:
            store.measurements.complete(
                measuring, lease, measured(), identity=IDENTITY | {"cores": cores}
            )
        except DeviceDiffers:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(complete, leases, (2, 4)))
    assert sorted(written) == [False, True]
    assert len(identities(store, measuring.id)) == len(latencies(store)) == 1


def test_a_release_adds_nothing_to_a_device_that_is_measured_here(store, measuring):
    store.measurements.complete(
        measuring, claim(store, measuring, 3), measured(), identity=IDENTITY
    )
    store.static.add_known(PROTOCOL.shape, {}, {"cpu-1": {3: 3.5}, "cpu-9": {5: 1.0}}, {})
    with pytest.raises(StoreError, match="latencies of 1 architectures on cpu-1, such as 5, which"):
        store.static.add_known(PROTOCOL.shape, {}, {"cpu-1": {3: 3.5, 5: 1.0}}, {})
    assert latencies(store) == {3: 3.5}
    assert latencies(store, "cpu-9") == {5: 1.0}


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
    add_latencies(store, "cpu-1", {3: 1.0})
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
    other = measuring_run(store, "cpu-2")
    store.jobs.mark_queued(run.id, [3])
    store.jobs.mark_queued(measuring.id, [3, 5])
    assert [store.jobs.queued_beside(one) for one in (run, measuring, other)] == [1, 2, 0]


def released(name="cpu-1", *, protocol=PROTOCOL, identities=(IDENTITY,), unstable=()):
    return MeasuredDevice(
        name=name,
        protocol=protocol.to_dict(),
        protocol_fingerprint=protocol.fingerprint,
        identities=identities,
        unstable=unstable,
    )


def take(store, latencies_ms, described=None):
    devices = {} if described is None else {"cpu-1": described}
    store.static.add_known(PROTOCOL.shape, {}, {"cpu-1": latencies_ms}, devices)


def devices(store, indices=range(10)):
    with store.snapshot() as snapshot:
        return snapshot.measured_devices(indices)


def test_how_latencies_of_releases_were_measured_is_kept(store):
    other = IDENTITY | {"clock_mhz": 2600}
    take(store, {3: 1.0}, released(unstable=(3,)))
    take(store, {3: 1.0}, released(identities=(other,)))  # nothing new is in it
    assert devices(store) == [released(unstable=(3,))]
    take(store, {5: 2.0, 9: 3.0}, released(identities=(IDENTITY, other), unstable=(9,)))
    assert devices(store) == [released(identities=(IDENTITY, other), unstable=(3, 9))]
    assert devices(store, range(4))[0].unstable == (3,)
    measuring_run(store, "cpu-0")
    assert [device.name for device in devices(store)] == ["cpu-0", "cpu-1"]


OTHER = released(protocol=preset("onnxruntime-cpu"))


@pytest.mark.parametrize(
    ("known", "new", "message"),
    [
        (released(), OTHER, r"by protocol \w{8}, the release others by protocol \w{8}; nothing"),
        (
            released(),
            None,
            r"by protocol \w{8}, the release others by a protocol that nobody knows",
        ),
        (
            None,
            released(),
            r"by a protocol that nobody knows, the release others by protocol \w{8}",
        ),
    ],
)
def test_latencies_of_several_protocols_are_not_mixed(store, known, new, message):
    take(store, {3: 1.0}, known)
    before = devices(store)
    with pytest.raises(StoreError, match=message):
        take(store, {5: 2.0}, new)
    assert (latencies(store), devices(store)) == ({3: 1.0}, before)


def test_a_release_that_has_all_of_them_tells_how_they_were_measured(store):
    take(store, {3: 1.0, 5: 2.0})
    assert devices(store) == []
    take(store, {3: 1.0}, released())  # of 5 it knows nothing
    assert devices(store) == []
    take(store, {3: 1.0, 5: 2.0}, released())
    assert devices(store) == [released()]
    take(store, {3: 1.0}, OTHER)  # adds nothing
    assert devices(store) == [released()]


def test_releases_that_come_at_once_are_taken_one_after_the_other(store):
    together = threading.Barrier(2)

    def taken(described):
        together.wait()
        try:
            take(store, {(3 if described is OTHER else 5): 1.0}, described)
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(taken, (released(), OTHER))) == [False, True]
    assert len(devices(store)) == len(latencies(store)) == 1
