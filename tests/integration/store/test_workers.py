"""The contract of workers, on every database."""

from dataclasses import replace

from blox_store.store import WorkerFigures
from tests.support.store_jobs import (
    OTHER_HOST,
    SAME_HOST,
    SHORT_S,
    A,
    claim,
    grow_old,
    make_run,
    schedule,
    start,
    worker_of,
)


def test_a_worker_shows_who_and_how_it_is(store):
    store.workers.register(A, device="cuda", pid=4711)
    worker = worker_of(store, A)
    assert (worker.name, worker.host, worker.device, worker.pid) == (A, "here", "cuda", 4711)
    assert 0 <= worker.seen_ago_s < 60
    assert 0 <= worker.up_s < 60
    assert (worker.faults, worker.fault, worker.stopped_reason) == (0, None, None)
    assert (worker.run_id, worker.arch_index, worker.epoch) == (None, None, None)


def test_a_worker_shows_the_job_that_it_runs(store, run):
    start(store, A, SAME_HOST)
    store.jobs.heartbeat(claim(store, run, 3, worker=A), 2)
    worker = worker_of(store, A)
    assert (worker.run_id, worker.arch_index, worker.epoch) == (run.id, 3, 2)
    assert worker_of(store, SAME_HOST).arch_index is None


def test_of_two_leases_under_a_name_the_last_one_shows(store, run):
    start(store, A)
    claim(store, run, 5, worker=A, lease_s=SHORT_S)  # and then its process was killed
    claim(store, run, 3, worker=A)
    assert worker_of(store, A).arch_index == 3


def test_workers_are_listed_by_host_and_name(store):
    start(store, OTHER_HOST, SAME_HOST, A, "alone")
    assert [worker.name for worker in store.workers.all()] == ["alone", A, SAME_HOST, OTHER_HOST]
    assert worker_of(store, "alone").host == "alone"


def test_a_worker_that_is_seen_lives(store):
    start(store, A)
    grow_old(store, A, 100)
    assert worker_of(store, A).seen_ago_s > 50
    store.workers.seen(A)
    assert worker_of(store, A).seen_ago_s < 50


def test_what_a_worker_has_measured_is_kept_until_it_starts_anew(store):
    start(store, A)
    assert worker_of(store, A).figures == WorkerFigures()
    figures = WorkerFigures(
        images_per_s=61_234.5,
        gpu_utilisation=0.97,
        gpu_memory_used_bytes=2 * 2**30,
        gpu_memory_total_bytes=80 * 2**30,
    )
    assert store.workers.seen(A, figures)
    assert store.workers.seen(A)
    assert worker_of(store, A).figures == figures
    store.workers.seen(A, replace(figures, images_per_s=None))
    assert worker_of(store, A).figures == replace(figures, images_per_s=None)
    start(store, A)
    assert worker_of(store, A).figures == WorkerFigures()
    assert not store.workers.seen("nobody@here", figures)


def test_faults_are_counted_and_the_last_one_is_kept(store):
    start(store, A)
    store.workers.fault(A, "no driver")
    store.workers.fault(A, "disk full: \0")
    worker = worker_of(store, A)
    assert (worker.faults, worker.fault) == (2, "disk full: \\x00")


def test_a_worker_that_was_stopped_stays_to_be_seen_and_one_that_ended_does_not(store):
    start(store, A, OTHER_HOST)
    store.workers.fault(A, "no driver")
    store.workers.stop(A, "3 faults in a row")
    store.workers.leave(A, pid=1)
    store.workers.leave(OTHER_HOST, pid=1)
    (worker,) = store.workers.all()
    assert (worker.name, worker.stopped_reason) == (A, "3 faults in a row")
    assert (worker.faults, worker.fault, worker.device) == (1, "no driver", "cpu")


def test_a_worker_that_starts_again_has_a_clean_slate(store):
    start(store, A)
    store.workers.fault(A, "no driver")
    store.workers.stop(A, "3 faults in a row")
    grow_old(store, A, 100)
    store.workers.register(A, device="cuda", pid=2)
    worker = worker_of(store, A)
    fresh = {"faults": 0, "fault": None, "stopped_reason": None, "device": "cuda", "pid": 2}
    assert replace(worker, **fresh) == worker
    assert worker.seen_ago_s < 50


def test_a_worker_that_vanished_is_forgotten_after_a_day_or_a_week_if_it_was_stopped(store):
    start(store, A, OTHER_HOST, SAME_HOST, "gone@long")
    for stopped in (OTHER_HOST, "gone@long"):
        store.workers.stop(stopped, "3 faults in a row")
    grow_old(store, "gone@long", 604_900)
    for worker, ago_s in ((A, 86_500), (OTHER_HOST, 86_500), (SAME_HOST, 86_300)):
        grow_old(store, worker, ago_s)
    assert [worker.name for worker in store.workers.all()] == [SAME_HOST, OTHER_HOST]
    assert store.workers.seen(A)  # it was frozen for a day
    assert [worker.name for worker in store.workers.all()] == [A, SAME_HOST, OTHER_HOST]


def test_a_worker_that_never_started_can_be_stopped(store):
    store.workers.stop(A, "no such GPU")
    worker = worker_of(store, A)
    assert (worker.host, worker.device, worker.pid) == ("here", None, None)
    assert worker.stopped_reason == "no such GPU"


def test_a_worker_that_ends_late_leaves_its_successor_alone(store):
    store.workers.register(A, device="cpu", pid=1)
    store.workers.register(A, device="cpu", pid=2)
    store.workers.leave(A, pid=1)
    assert worker_of(store, A).pid == 2
    assert store.workers.seen(A)


def test_unknown_workers_are_no_error(store):
    assert not store.workers.seen(A)
    store.workers.fault(A, "no driver")
    store.workers.leave(A, pid=1)
    assert store.workers.all() == []


def test_workers_of_a_run_are_those_that_get_its_jobs(store, run):
    other, _ = make_run(store, seed=1)
    start(store, A, run_id=run.id)
    start(store, SAME_HOST, run_id=other.id)
    start(store, OTHER_HOST)
    assert sorted(store.workers.living(run.id)) == [A, OTHER_HOST]
    assert store.workers.living(other.id) == [SAME_HOST]  # no scheduler fills the queue with it
    store.workers.stop(A, "3 faults in a row")
    grow_old(store, OTHER_HOST, 200)
    assert store.workers.living(run.id) == []


def test_a_queue_is_filled_for_a_while_after_a_scheduler_was_last_seen(store):
    run, _ = make_run(store)
    start(store, A)
    schedule(store, run, lease_s=-100)
    assert store.workers.living(run.id) == [A]
    schedule(store, run, lease_s=-200)
    assert store.workers.living(run.id) == []
