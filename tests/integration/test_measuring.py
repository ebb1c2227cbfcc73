"""`run_job` for a run that measures, with real measurements of milliseconds."""

import itertools
import threading
from dataclasses import replace

import pytest
from sqlalchemy import update

from blox_core.latency import measuring, preset
from blox_core.latency.this_device import device_identity
from blox_core.latency.timing import Timed
from blox_store.errors import DeviceDiffers
from blox_store.store import JobState, NoClaim, schema
from blox_worker.device.lock import DeviceLock
from blox_worker.errors import DeviceBusy
from blox_worker.job.outcome import Ending
from blox_worker.worker.loop import train_locally
from tests.support.job_runs import execute, make_worker
from tests.support.latencies import identities, measured, measurements, measuring_run

QUICK = replace(
    preset("torch-cpu"),
    stem_channels=4,
    resolution=8,
    classes=10,
    least_warm_up=2,
    most_warm_up=4,
    timed_runs=3,
)


@pytest.fixture
def worker(tmp_path):
    """A worker whose device nobody else locks."""
    return make_worker(tmp_path, lock_dir=tmp_path / "locks")


def make_run(store, protocol=QUICK):
    return measuring_run(store, "cpu", protocol)


def test_a_measurement_is_stored_with_what_it_was_measured_on(store, worker):
    run = make_run(store)
    outcome = execute(store, run, worker, index=5)
    assert outcome.ending is Ending.COMPLETED
    assert measurements(store, run.id) == {5: outcome.result}
    (identity,) = identities(store, run.id)
    assert identity["torch"] != "none"
    assert execute(store, run, worker, index=5) is NoClaim.ENDED


def test_a_stop_gives_the_job_back(store, worker):
    run, stop = make_run(store), threading.Event()
    stop.set()
    assert execute(store, run, worker, stop=stop).ending is Ending.STOPPED
    assert store.jobs.counts(run.id)[JobState.PENDING] == 2
    assert measurements(store, run.id) == {}


def test_a_stop_in_the_middle_gives_the_job_back(store, worker, monkeypatch):
    run, stop, times = make_run(store), threading.Event(), iter(range(9))

    def stopping():
        if next(times) == 2:
            stop.set()
        return Timed(1.0, 1.0)

    monkeypatch.setattr(measuring, "ready", lambda *arguments: stopping)
    assert execute(store, run, worker, stop=stop, index=5).ending is Ending.STOPPED
    assert next(times) == 3
    (_, job) = store.jobs.matching(run.id)
    assert (job.arch_index, job.state, job.attempts) == (5, JobState.PENDING, 0)
    assert store.jobs.attempts(run.id, 5) == []
    assert measurements(store, run.id) == {}


def test_a_measurement_ends_when_its_lease_is_lost(store, tmp_path, monkeypatch):
    worker = make_worker(tmp_path, lock_dir=tmp_path / "locks", lease_s=0.1, heartbeat_s=0.01)
    run = make_run(store, replace(QUICK, most_warm_up=1_000_000))
    times = itertools.cycle((1.0, 2.0))  # which never settle

    def losing():
        if store.jobs.counts(run.id)[JobState.RUNNING]:
            with store._database.write() as connection:
                connection.execute(update(schema.jobs).values(state="pending", lease_token=None))
        return Timed(next(times), 1.0)

    monkeypatch.setattr(measuring, "ready", lambda *arguments: losing)
    assert execute(store, run, worker).ending is Ending.LEASE_LOST
    assert measurements(store, run.id) == {}


def test_a_worker_that_waits_for_its_device_holds_no_lease_and_can_be_stopped(store, worker):
    run, stop = make_run(store), threading.Event()
    lock = DeviceLock(worker.settings.lock_dir, worker.device)
    with lock.held(alone=False, stop=threading.Event()):
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(DeviceBusy, match="device cpu is in use"):
            execute(store, run, worker, stop=stop)
        assert not train_locally(store, run, worker=worker, stop=stop, audience=None)
    assert store.jobs.counts(run.id)[JobState.PENDING] == 2


def test_who_would_get_no_job_does_not_wait_for_the_device(store, worker):
    """Trainings would have to end for him."""
    run, stop = make_run(store), threading.Event()
    stop.set()  # so that waiting is an error
    for index in (3, 5):
        store.jobs.claim(run, index, worker="w", trainer_revision=run.trainer_revision, lease_s=60)
    lock = DeviceLock(worker.settings.lock_dir, worker.device)
    with lock.held(alone=False, stop=threading.Event()):
        assert execute(store, run, worker, stop=stop) is NoClaim.NOTHING_DUE
        assert execute(store, run, worker, stop=stop, index=5) is NoClaim.DUPLICATE


def test_a_job_that_is_gone_once_the_device_is_there_is_not_done_twice(store, worker, monkeypatch):
    run = make_run(store)
    monkeypatch.setattr(type(store.jobs), "refusal", lambda *arguments, **options: None)
    store.jobs.claim(run, 5, worker="w", trainer_revision=run.trainer_revision, lease_s=60)
    assert execute(store, run, worker, index=5) is NoClaim.DUPLICATE


def test_a_worker_of_another_kind_of_device_gives_the_job_back(store, worker):
    run = make_run(store, replace(preset("torch-cuda"), stem_channels=4))
    with pytest.raises(DeviceDiffers, match="it is measured on a GPU, and worker cpu@test is not"):
        execute(store, run, worker)
    assert store.jobs.counts(run.id)[JobState.RUNNING] == 0


def test_another_machine_gives_the_job_back(store, worker):
    run = make_run(store)
    lease = store.jobs.claim(run, 3, worker="w", trainer_revision=run.trainer_revision, lease_s=60)
    other = {**device_identity(QUICK).to_dict(), "driver": "9.9"}
    store.measurements.complete(run, lease, measured(), identity=other)
    with pytest.raises(DeviceDiffers, match=r"driver 'none', not '9\.9'; measure it"):
        execute(store, run, worker, index=5)
    assert store.jobs.counts(run.id)[JobState.PENDING] == 1
