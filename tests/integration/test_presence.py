"""What a worker writes of itself while it works: that it is there, and what it measures."""

import threading

from blox_store.store import WorkerFigures
from blox_worker.worker import presence as presence_module
from blox_worker.worker.presence import Presence
from tests.support.job_runs import execute, make_run, make_worker
from tests.support.servers import wait_until


def figures(store):
    return store.workers.all()[0].figures


def test_a_worker_shows_its_pace_while_it_trains_and_none_before_and_after(store, tmp_path):
    worker = make_worker(tmp_path, lease_s=0.2, heartbeat_s=0.1)
    run = make_run(store)
    is_shown = threading.Event()
    with Presence(store, worker, run_id=run.id):
        assert figures(store).images_per_s is None

        def hold_until_it_is_shown(lease, report):
            wait_until(lambda: figures(store).images_per_s, "the pace to be shown")
            is_shown.set()

        execute(store, run, worker, on_epoch=hold_until_it_is_shown)
        assert is_shown.is_set()
        wait_until(lambda: figures(store).images_per_s is None, "the pace to be gone")
        assert figures(store).gpu_utilisation is None


def test_a_worker_shows_how_its_gpu_is_used(store, tmp_path, monkeypatch):
    load = WorkerFigures(gpu_utilisation=0.5, gpu_memory_used_bytes=3, gpu_memory_total_bytes=4)
    monkeypatch.setattr(presence_module, "gpu_load", lambda device: load)
    with Presence(store, make_worker(tmp_path, lease_s=0.2, heartbeat_s=0.1)):
        wait_until(lambda: figures(store).gpu_utilisation == 0.5, "the utilisation to be shown")
        known = figures(store)
        assert (known.gpu_memory_used_bytes, known.gpu_memory_total_bytes) == (3, 4)
