"""Runs, claims and failures on a store, for the tests of its contract."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import update

from blox_core.recipe import preset
from blox_store.store import JobState, Lease, NoClaim, Run, Store, WorkerState, schema
from tests.support.servers import wait_until

LONG_S = 600.0
SHORT_S = 0.05
REVISION = 1
A, SAME_HOST, OTHER_HOST = "gpu0@here", "gpu1@here", "gpu0@there"


def make_run(store, *, seed=0, revision=1) -> tuple[Run, bool]:
    """Return a run and whether it was made just now."""
    made = store.runs.create(
        dataset="digits",
        recipe=preset("digits"),
        seed=seed,
        trainer="torch",
        trainer_revision=revision,
    )
    return made.run, made.is_new


def make_foreign(store, run, recipe) -> Run:
    """Return a run after another version of Blox has written its recipe, as a mapping."""
    with store._database.write() as connection:
        connection.execute(update(schema.runs).filter_by(id=run.id).values(recipe=recipe))
    return store.runs.find(run.id)


def schedule(store, run, *, lease_s=LONG_S):
    """Let a run have a scheduler, by which workers of any run get its jobs."""
    assert store.schedulers.hold(run.id, holder="scheduler", token="s" * 32, lease_s=lease_s)


def claim(
    store,
    run,
    index=None,
    *,
    worker="w0@here",
    lease_s=LONG_S,
    trainer_revision=REVISION,
    token=None,
) -> Lease | NoClaim:
    """Claim a job, the next one without an index."""
    return store.jobs.claim(
        run,
        index,
        worker=worker,
        trainer_revision=trainer_revision,
        lease_s=lease_s,
        token=token,
    )


def refusal(store, run, index=None, *, worker="w0@here", trainer_revision=REVISION):
    """Ask why a claim would get nothing."""
    return store.jobs.refusal(run, index, worker=worker, trainer_revision=trainer_revision)


def fail(store, run, index, *, worker, max_attempts=2, kind="Boom", backoff_s=0) -> JobState:
    """Let a worker's attempt at a job fail; return the job's new state."""
    lease = claim(store, run, index, worker=worker)
    assert isinstance(lease, Lease), lease
    return store.jobs.fail(
        lease, f"{kind}: on {worker}", kind=kind, max_attempts=max_attempts, backoff_s=backoff_s
    )


def job(store, run, index):
    """Return a job."""
    (found,) = [job for job in store.jobs.matching(run.id) if job.arch_index == index]
    return found


def expire(store, run, index):
    """Wait until the lease of a job has run out by the database's clock."""
    wait_until(lambda: job(store, run, index).lease_left_s < 0, "the lease to expire")


def start(store, *workers, run_id=None):
    """Register workers as if they had just started."""
    for worker in workers:
        store.workers.register(worker, device="cpu", pid=1, run_id=run_id)


def worker_of(store: Store, name: str) -> WorkerState:
    """Return a worker."""
    (found,) = [worker for worker in store.workers.all() if worker.name == name]
    return found


def at_once(call, count):
    """Return what `call(0)` to `call(count - 1)` return, all called at the same moment."""
    barrier = Barrier(count)

    def one(number):
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def stored(store, run):
    """Return the results of a run."""
    with store.snapshot() as snapshot:
        return list(snapshot.result_rows(run.id))


def grow_old(store, worker, by_s):
    """Let a worker have been seen that much longer ago, as if it had been frozen since."""
    with store._database.write() as connection:
        seen_s = schema.workers.c.seen_s
        connection.execute(
            update(schema.workers).filter_by(name=worker).values(seen_s=seen_s - by_s)
        )
