"""What `blox status` and `blox jobs` say, from a store of either kind."""

import io
import json
from dataclasses import asdict

import pytest
from rich.console import Console
from sqlalchemy import update

from blox_store.errors import RunNotFound
from blox_store.store import JobState, Lease, Store, WorkerFigures, schema
from blox_worker.status.job_list import listed_jobs
from blox_worker.status.job_view import job_lines, trouble_lines
from blox_worker.status.run_status import store_status
from blox_worker.status.status_view import status_view
from tests.support.results import claimed, made_up_result, made_up_run

TRACEBACK = "Traceback\n  in postgresql://u:geheim@h/db\nBoom: redis://:geheim@h"


@pytest.fixture
def store(store_url):
    with Store(store_url) as opened:
        yield opened


def claim(store, run, index, worker, *, lease_s=600.0):
    lease = store.jobs.claim(
        run,
        index,
        worker=worker,
        trainer_revision=run.trainer_revision,
        lease_s=lease_s,
    )
    assert isinstance(lease, Lease)
    return lease


def fail(store, run, index, *, kind="Boom", worker="somebody", max_attempts=1):
    lease = claim(store, run, index, worker)
    store.jobs.fail(lease, TRACEBACK, kind=kind, max_attempts=max_attempts, backoff_s=0)


def change(store, table, **values):
    with store._database.write() as connection:
        connection.execute(update(table).values(**values))


def drawn(store):
    console = Console(file=io.StringIO(), width=500, markup=False)
    console.print(status_view(store_status(store)))
    return console.file.getvalue()


def test_a_run_is_counted_by_state(store):
    run = made_up_run(store, indices=range(10))
    for index in (0, 1, 2):
        store.results.complete(claimed(store, run, index), made_up_result(5))
    store.results.complete(claimed(store, run, 3), made_up_result(1, status="diverged"))
    fail(store, run, 4)
    store.jobs.heartbeat(claimed(store, run, 5), 2)
    store.jobs.mark_queued(run.id, [6, 7])
    (known,) = store_status(store).runs
    assert known.jobs == {
        "pending": 2,
        "queued": 2,
        "running": 1,
        "succeeded": 3,
        "diverged": 1,
        "failed": 1,
    }
    assert list(known.jobs) == [state.value for state in JobState]
    assert known.total == 10
    assert known.progress == pytest.approx((5 + 2 / 5) / 10)
    assert known.failures == {"Boom": 1}
    assert (known.id, known.seed, known.trainer, known.epochs) == (run.id, 0, "torch", 5)
    assert (known.paused, known.scheduler) == (False, None)


def test_a_rate_and_an_eta_come_of_the_results_of_the_last_hour(store):
    run = made_up_run(store, indices=range(8))
    for index in range(5):
        store.results.complete(claimed(store, run, index), made_up_result(5))
    finished_s = schema.results.c.finished_s
    change(store, schema.results, finished_s=finished_s - 400 + 100 * schema.results.c.arch_index)
    (known,) = store_status(store).runs
    assert known.rate_per_hour == pytest.approx(36.0, rel=0.05)
    assert known.eta_s == pytest.approx(300.0, rel=0.05)
    assert "62.5 % done, 36 jobs per hour, ETA " in drawn(store)

    store.runs.set_paused(run.id, True)
    (known,) = store_status(store).runs
    assert (known.paused, known.eta_s) == (True, None)
    assert known.rate_per_hour is not None
    assert "(paused): 3 pending, 5 succeeded" in drawn(store)

    change(store, schema.results, finished_s=finished_s - 4000)
    (known,) = store_status(store).runs
    assert (known.rate_per_hour, known.eta_s) == (0.0, None)
    assert "62.5 % done, 0 jobs per hour\n" in drawn(store)


def test_a_run_that_is_done_has_no_time_left(store):
    run = made_up_run(store, indices=[3])
    store.results.complete(claimed(store, run, 3), made_up_result(5))
    (known,) = store_status(store).runs
    assert (known.progress, known.eta_s, known.rate_per_hour) == (1.0, 0.0, None)
    assert "100.0 % done, rate not known yet" in drawn(store)


def test_a_run_without_jobs_has_no_progress(store):
    made_up_run(store)
    (known,) = store_status(store).runs
    assert (known.total, known.progress, known.eta_s) == (0, None, 0.0)
    assert "no jobs" in drawn(store)


def test_the_scheduler_is_named(store):
    run = made_up_run(store, indices=[3])
    assert "scheduler: none is active" in drawn(store)
    assert store.schedulers.hold(run.id, holder="node-1:77", token="t", lease_s=60)
    assert store_status(store).runs[0].scheduler == "node-1:77"
    assert "scheduler: node-1:77" in drawn(store)


def test_a_worker_is_shown_with_its_job(store):
    run = made_up_run(store, indices=range(3))
    store.workers.register("gpu0@node-1", device="cuda", pid=41)
    store.workers.register("gpu1@node-1", device="cuda", pid=42)
    lease = claim(store, run, 2, "gpu0@node-1")
    store.jobs.heartbeat(lease, 3)
    busy, idle = store_status(store).workers
    assert (busy.name, busy.host, busy.device, busy.pid) == ("gpu0@node-1", "node-1", "cuda", 41)
    assert (busy.activity, idle.activity) == ("working", "idle")
    assert (busy.run_id, busy.arch_index, busy.epoch, busy.epochs) == (run.id, 2, 3, 5)
    assert 0 <= busy.seen_ago_s < 60
    assert 0 <= busy.up_s < 60
    assert 500 < busy.lease_left_s <= 600
    assert (idle.run_id, idle.arch_index, idle.epoch, idle.lease_left_s) == (None,) * 4
    assert (idle.faults, idle.fault, idle.stopped_reason) == (0, None, None)
    (line,) = (line for line in drawn(store).splitlines() if "gpu0@node-1" in line)
    assert line.split()[:5] == ["gpu0@node-1", "cuda", "1", "a00002", "3/5"]
    assert "s ago" in line
    assert line.split()[-1] == "working"


def test_a_worker_that_never_registered_is_known_by_its_lease(store):
    run = made_up_run(store, indices=range(2))
    claim(store, run, 1, "cpu@laptop", lease_s=0.001)
    (worker,) = store_status(store).workers
    assert (worker.name, worker.host, worker.arch_index) == ("cpu@laptop", "laptop", 1)
    assert (worker.device, worker.pid, worker.up_s) == (None, None, None)
    assert worker.lease_left_s < 0
    assert worker.activity == "working"
    assert "expired" in drawn(store)
    change(store, schema.jobs, updated_s=schema.jobs.c.updated_s - 400)
    (worker,) = store_status(store).workers
    assert worker.activity == "silent"
    assert "cpu@laptop has not been seen for 6 min" in drawn(store)


def test_the_figures_of_a_worker_that_lives_are_shown(store):
    store.workers.register("gpu0@node-1", device="cuda", pid=1)
    figures = WorkerFigures(images_per_s=61_234.5, gpu_utilisation=0.5, gpu_memory_used_bytes=7)
    store.workers.seen("gpu0@node-1", figures)
    (worker,) = store_status(store).workers
    assert (worker.images_per_s, worker.gpu_utilisation) == (61_234.5, 0.5)
    assert (worker.gpu_memory_used_bytes, worker.gpu_memory_total_bytes) == (7, None)
    assert " 61,234 " in drawn(store)
    store.workers.stop("gpu0@node-1", "mended soon")
    (worker,) = store_status(store).workers
    assert (worker.images_per_s, worker.gpu_memory_used_bytes) == (None, None)
    assert "61,234" not in drawn(store)


def test_the_oldest_lease_is_the_one_renewed_longest_ago(store):
    run = made_up_run(store, indices=range(3))
    assert store_status(store).runs[0].oldest_lease_s is None
    claim(store, run, 1, "gpu0@node-1")
    change(store, schema.jobs, updated_s=schema.jobs.c.updated_s - 400)
    claim(store, run, 2, "gpu1@node-1")
    assert store_status(store).runs[0].oldest_lease_s == pytest.approx(400, abs=30)


def test_a_worker_that_was_not_seen_for_long_is_silent(store):
    store.workers.register("cpu@laptop", device="cpu", pid=1)
    change(store, schema.workers, seen_s=schema.workers.c.seen_s - 181)
    (worker,) = store_status(store).workers
    assert worker.activity == "silent"
    assert "cpu@laptop has not been seen for 3 min" in drawn(store)


def test_a_worker_that_claims_no_more_says_why_and_its_faults(store):
    store.workers.register("gpu0@node-1", device="cuda", pid=1)
    store.workers.fault("gpu0@node-1", "CUDA error at redis://:geheim@h")
    assert "gpu0@node-1: 1 node fault, the last: CUDA error" in drawn(store)
    store.workers.fault("gpu0@node-1", "CUDA error at redis://:geheim@h")
    store.workers.stop("gpu0@node-1", "2 node faults in a row: postgresql://u:geheim@h/db")
    (worker,) = store_status(store).workers
    assert (worker.activity, worker.faults) == ("stopped", 2)
    assert worker.fault == "CUDA error at redis://:***@h"
    assert worker.stopped_reason == "2 node faults in a row: postgresql://u:***@h/db"
    shown = drawn(store)
    assert "gpu0@node-1 claims no more jobs: 2 node faults in a row: postgresql://u:***@" in shown
    assert "gpu0@node-1: 2 node faults, the last: CUDA error" in shown


def test_ten_failed_jobs_are_listed_and_the_rest_counted(store):
    run = made_up_run(store, indices=range(12))
    for index in range(12):
        fail(store, run, index, kind="Boom" if index else "lease expired")
    (known,) = store_status(store).runs
    assert [job.arch_index for job in known.failed] == list(range(10))
    assert known.failed[0].error == "Boom: redis://:***@h"
    assert (known.failed[0].attempts, known.failed[0].worker) == (1, "somebody")
    shown = drawn(store)
    assert "failed attempts: 11 Boom, 1 lease expired" in shown
    assert "2 more: blox jobs --run 1 --state failed" in shown
    assert "geheim" not in shown + json.dumps(asdict(store_status(store)))


def test_one_run_is_shown_with_its_workers_and_the_idle_ones(store):
    runs = [made_up_run(store, indices=[3], seed=seed) for seed in range(2)]
    for number, run in enumerate(runs):
        store.workers.register(f"gpu{number}@h", device="cuda", pid=number)
        claim(store, run, 3, f"gpu{number}@h")
    store.workers.register("gpu2@h", device="cuda", pid=2)
    both, one = store_status(store), store_status(store, runs[1].id)
    assert [run.id for run in both.runs] == [1, 2]
    assert [worker.name for worker in both.workers] == ["gpu0@h", "gpu1@h", "gpu2@h"]
    assert [run.id for run in one.runs] == [2]
    assert [worker.name for worker in one.workers] == ["gpu1@h", "gpu2@h"]
    with pytest.raises(RunNotFound, match="no run with id 3"):
        store_status(store, 3)


def test_jobs_are_listed_with_what_they_wait_for(store):
    run = made_up_run(store, indices=range(3))
    for worker in ("gpu0@a", "gpu0@b"):
        store.workers.register(worker, device="cuda", pid=1, run_id=run.id)
    lease = claim(store, run, 0, "gpu0@a")
    store.jobs.fail(lease, TRACEBACK, kind="Boom", max_attempts=3, backoff_s=100)
    claim(store, run, 1, "gpu0@b")
    waiting, running, pending = listed_jobs(store, run, [], with_history=False)
    assert (waiting.state, waiting.attempts, waiting.history) == ("pending", 1, None)
    assert 50 < waiting.due_in_s <= 100
    assert waiting.avoid == "@a"
    assert (running.state, running.worker, running.due_in_s) == ("running", "gpu0@b", None)
    assert 0 <= running.seen_ago_s < 60
    assert (pending.worker, pending.error, pending.seen_ago_s) == (None, None, None)
    assert [
        job.arch_index for job in listed_jobs(store, run, [JobState.RUNNING], with_history=True)
    ] == [1]


def test_the_trouble_of_a_job_is_shown_in_full(store):
    run = made_up_run(store, indices=range(2))
    fail(store, run, 0, max_attempts=2, worker="gpu0@a")
    fail(store, run, 0, max_attempts=2, worker="gpu0@b", kind="Bang")
    listed = listed_jobs(store, run, [], with_history=True)
    assert [(past.worker, past.kind) for past in listed[0].history] == [
        ("gpu0@a", "Boom"),
        ("gpu0@b", "Bang"),
    ]
    assert listed[1].history == []
    table = list(job_lines(listed))
    assert table[0].split() == ["job", "state", "priority", "attempts", "epoch", "worker", "error"]
    assert table[1].split()[:6] == ["a00000", "failed", "0", "2", "0/5", "gpu0@b"]
    assert table[1].endswith("Boom: redis://:***@h")
    assert table[2].split() == ["a00001", "pending", "0", "0", "0/5", "-"]
    trouble = "\n".join(trouble_lines(listed))
    assert "a00000, failed after 2 attempts:\n  gpu0@a, Boom, " in trouble
    assert " s ago\n    Traceback\n      in postgresql://u:***@h/db\n    Boom: " in trouble
    assert "a00001" not in trouble
