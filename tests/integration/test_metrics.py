"""The metrics of a scheduler, from a store of either kind, and of one that does not answer."""

import threading
import urllib.request

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from sqlalchemy.engine import make_url

from blox_store.store import JobState, Lease, Store, WorkerFigures, schema
from blox_worker.errors import AddressRefused
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import make_app
from blox_worker.status.metrics import ClusterCollector, serving
from blox_worker.status.question import THREAD
from tests.support.results import claimed, made_up_result, made_up_run
from tests.support.servers import free_port, own_postgres, own_redis, wait_until

LEASE_S = 60.0
SECRET = "geheim"


@pytest.fixture
def store(store_url):
    with Store(store_url) as opened:
        yield opened


def collector(store, *, limit_s=30.0):
    made = ClusterCollector(lease_s=LEASE_S, limit_s=limit_s)
    if store is not None:
        made.watch_store(store)
    return made


def exposed(made):
    """Return the metrics as they are served."""
    registry = CollectorRegistry()
    registry.register(made)
    return generate_latest(registry).decode()


def figures(text):
    """Return each figure by its name and labels; fail where one is there twice."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def of_run(known, name, run=1):
    return known.get((name, ("run", str(run))))


def of_worker(known, name, worker):
    return known.get((name, ("worker", worker)))


def fail(store, run, index, error):
    lease = claimed(store, run, index)
    store.jobs.fail(lease, error, kind="Boom", max_attempts=1, backoff_s=0)


def change(store, table, **values):
    with store._database.write() as connection:
        connection.execute(update(table).values(**values))


def test_a_run_is_told_by_its_figures(store):
    run = made_up_run(store, indices=range(10))
    for index in range(3):
        store.results.complete(claimed(store, run, index), made_up_result(5))
    finished_s = schema.results.c.finished_s
    change(store, schema.results, finished_s=finished_s - 200 + 100 * schema.results.c.arch_index)
    fail(store, run, 3, "Boom")
    store.jobs.heartbeat(claimed(store, run, 4), 2)
    change(store, schema.jobs, updated_s=schema.jobs.c.updated_s - 40)
    store.schedulers.hold(run.id, holder="here:1", token="t", lease_s=60)
    known = figures(exposed(collector(store)))
    counts = dict.fromkeys(JobState, 0) | {
        JobState.PENDING: 5,
        JobState.RUNNING: 1,
        JobState.SUCCEEDED: 3,
        JobState.FAILED: 1,
    }
    for state, count in counts.items():
        assert known["blox_jobs", ("run", "1"), ("state", state.value)] == count
    assert known["blox_failed_attempts", ("kind", "Boom"), ("run", "1")] == 1
    assert of_run(known, "blox_run_size_jobs") == 10
    assert of_run(known, "blox_run_progress_ratio") == pytest.approx(0.44)
    assert of_run(known, "blox_run_jobs_per_second") == pytest.approx(0.01, rel=0.1)
    assert of_run(known, "blox_run_eta_seconds") == pytest.approx(560, rel=0.1)
    assert of_run(known, "blox_run_finished_last_hour_jobs") == 3
    assert of_run(known, "blox_run_failed_last_hour_attempts") == 1
    assert of_run(known, "blox_run_oldest_lease_seconds") == pytest.approx(40, abs=20)
    assert (of_run(known, "blox_run_scheduled"), of_run(known, "blox_run_paused")) == (1, 0)
    assert known["blox_store_up",] == 1
    assert known["blox_lease_limit_seconds",] == LEASE_S
    (info,) = (dict(key[1:]) for key in known if key[0] == "blox_run_info")
    assert info == {
        "run": "1",
        "dataset": "digits",
        "recipe": run.recipe_fingerprint,
        "seed": "0",
        "trainer": "torch",
        "trainer_revision": str(run.trainer_revision),
        "epochs": "5",
    }


def test_what_is_older_than_an_hour_is_not_of_the_last_one(store):
    run = made_up_run(store, indices=range(2))
    store.results.complete(claimed(store, run, 0), made_up_result(5))
    fail(store, run, 1, "Boom")
    change(store, schema.results, finished_s=schema.results.c.finished_s - 3700)
    change(store, schema.attempts, ended_s=schema.attempts.c.ended_s - 3700)
    known = figures(exposed(collector(store)))
    assert of_run(known, "blox_run_finished_last_hour_jobs") == 0
    assert of_run(known, "blox_run_failed_last_hour_attempts") == 0
    assert known["blox_failed_attempts", ("kind", "Boom"), ("run", "1")] == 1


def test_what_nobody_knows_is_left_out(store):
    made_up_run(store, indices=range(2))
    paused = made_up_run(store, indices=range(2), seed=1)
    store.runs.set_paused(paused.id, True)
    store.workers.register("cpu@here", device="cpu", pid=1)
    known = figures(exposed(collector(store)))
    for run in (1, 2):
        assert of_run(known, "blox_run_eta_seconds", run) is None
        assert of_run(known, "blox_run_oldest_lease_seconds", run) is None
        assert of_run(known, "blox_run_paused", run) == run - 1
        assert of_run(known, "blox_run_scheduled", run) == 0
    assert of_worker(known, "blox_worker_alive", "cpu@here") == 1
    assert of_worker(known, "blox_worker_images_per_second", "cpu@here") is None
    assert not [key for key in known if key[0].startswith("blox_worker_gpu")]
    assert not [key for key in known if key[0] == "blox_failed_attempts"]


def test_workers_are_told_with_what_they_measure(store):
    run = made_up_run(store, indices=range(4))
    for name in ("gpu0@a", "gpu1@a", "gpu0@b"):
        store.workers.register(name, device="cuda", pid=1)
    measured = WorkerFigures(
        images_per_s=61_234.5,
        gpu_utilisation=0.9,
        gpu_memory_used_bytes=2**31,
        gpu_memory_total_bytes=80 * 2**30,
    )
    store.workers.seen("gpu0@a", measured)
    claim(store, run, "gpu0@a")
    store.workers.fault("gpu1@a", "no driver")
    store.workers.stop("gpu1@a", "2 faults")
    known = figures(exposed(collector(store)))
    shown = ("working", "idle", "silent", "stopped")
    assert [known["blox_workers", ("activity", one)] for one in shown] == [1, 1, 0, 1]
    alive = [of_worker(known, "blox_worker_alive", name) for name in ("gpu0@a", "gpu1@a", "gpu0@b")]
    assert alive == [1, 0, 1]
    assert of_worker(known, "blox_worker_images_per_second", "gpu0@a") == 61_234.5
    assert of_worker(known, "blox_worker_gpu_utilisation_ratio", "gpu0@a") == 0.9
    assert of_worker(known, "blox_worker_gpu_memory_used_bytes", "gpu0@a") == 2**31
    assert of_worker(known, "blox_worker_gpu_memory_total_bytes", "gpu0@a") == 80 * 2**30
    assert of_worker(known, "blox_worker_node_faults", "gpu1@a") == 1


def claim(store, run, worker):
    lease = store.jobs.claim(
        run, worker=worker, trainer_revision=run.trainer_revision, lease_s=LEASE_S
    )
    assert isinstance(lease, Lease)


def test_a_worker_is_told_once_also_while_an_earlier_process_of_its_name_holds_a_lease(store):
    run = made_up_run(store, indices=range(4))
    store.workers.register("gpu0@a", device="cuda", pid=1)
    for worker in ("gpu0@a", "gpu0@a", "nobody@b", "nobody@b"):
        claim(store, run, worker)
    known = figures(exposed(collector(store)))
    assert known["blox_workers", ("activity", "working")] == 2


def test_no_password_is_told(store):
    url = make_url(store._database.engine.url)
    run = made_up_run(store, indices=range(2))
    fail(store, run, 0, f"Boom: redis://:{SECRET}@h")
    store.workers.register("gpu0@a", device="cuda", pid=1)
    store.workers.stop("gpu0@a", f"postgresql://u:{SECRET}@h/db is gone")
    if url.drivername == "sqlite":
        assert SECRET not in exposed(collector(store))
        return
    with Store(url.set(password=SECRET).render_as_string(hide_password=False)) as by_password:
        text = exposed(collector(by_password))
    assert "blox_run_info" in text
    assert SECRET not in text


DOWN = {("blox_store_up",): 0, ("blox_lease_limit_seconds",): LEASE_S}


def test_before_the_store_is_open_it_is_down():
    assert figures(exposed(collector(None))) == DOWN


def asking():
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def test_a_store_that_hangs_or_is_away_is_down_until_it_answers():
    with own_postgres() as server, Store(server.url, migrate=True) as store:
        run = made_up_run(store, indices=range(2))
        hasty, patient = collector(store, limit_s=0.1), collector(store)
        assert of_run(figures(exposed(patient)), "blox_run_size_jobs") == 2
        try:
            server.freeze()
            for _ in range(3):
                assert figures(exposed(hasty)) == DOWN
            assert len(asking()) == 1
        finally:
            server.thaw()
        wait_until(lambda: not asking(), "the answer")
        assert of_run(figures(exposed(patient)), "blox_run_size_jobs", run.id) == 2
        server.stop()
        assert figures(exposed(patient))["blox_store_up",] == 0
        server.start()
        assert of_run(figures(exposed(patient)), "blox_run_size_jobs", run.id) == 2


def test_a_broker_that_takes_no_writes_is_down_until_it_does():
    with own_redis() as server, redis.Redis.from_url(server.url) as client:
        made = collector(None)

        def is_up():
            return figures(exposed(made))["blox_broker_up",]

        made.watch_broker(Broker(make_app(server.url, "a" * 32, timeout_s=1)))
        assert is_up() == 1
        client.config_set("maxmemory", 1)
        assert is_up() == 0
        client.config_set("maxmemory", 0)
        assert is_up() == 1
        server.stop()
        assert is_up() == 0
        server.start()
        assert is_up() == 1


def test_metrics_are_served_by_http_within_the_block(store):
    made_up_run(store, indices=range(2))
    port = free_port()
    with serving(collector(store), ("127.0.0.1", port)):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            known = figures(answer.read().decode())
        assert of_run(known, "blox_run_size_jobs") == 2
        with (
            pytest.raises(
                AddressRefused,
                match=rf"metrics on 127\.0\.0\.1:{port}: Address already in use; give another",
            ),
            serving(collector(store), ("127.0.0.1", port)),
        ):
            pass
    with serving(collector(store), ("127.0.0.1", port)):
        pass  # the port is free again


def test_without_an_address_nothing_is_served():
    before = threading.active_count()
    with serving(collector(None), None):
        assert threading.active_count() == before


def test_an_address_that_this_machine_does_not_have_is_refused():
    with (
        pytest.raises(
            AddressRefused, match=r"metrics on 203\.0\.113\.1:9540: Cannot assign .*_ADDR"
        ),
        serving(collector(None), ("203.0.113.1", 9540)),
    ):
        pass
