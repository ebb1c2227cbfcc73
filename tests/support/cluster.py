"""A cluster on this machine: real Redis, PostgreSQL, schedulers, launchers and their workers.

What can happen to it is in `tests.support.faults`; what has to hold afterwards is `Cluster.check`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from celery import Celery
from sqlalchemy import select

from blox_core.recipe import preset
from blox_core.simulation import SIMULATION_REVISION, simulated_result
from blox_core.space import Architecture
from blox_store.store import Job, JobState, Run, Store, schema
from blox_worker.queue.broker import Broker
from blox_worker.queue.celery_app import make_app
from tests.support.commands import environment
from tests.support.results import claimed
from tests.support.servers import Server, wait_until

SEED = 5
PATIENCE_S = 90
CURVES = ("train_top1", "train_top5", "train_loss", "val_top1", "val_top5", "val_loss")
# Leases that outlast a busy machine, and no longer than a test can wait for.
PACE = {
    "BLOX_LEASE_S": "3",
    "BLOX_HEARTBEAT_S": "0.2",
    "BLOX_CHECKPOINT_EVERY_S": "0",
    "BLOX_RETRY_BACKOFF_S": "0.2",
    "BLOX_RESTART_BACKOFF_S": "0.1",
    "BLOX_SCHEDULER_POLL_S": "0.2",
    "BLOX_SIMULATED_EPOCH_S": "0.1",
}


class Cluster:
    """A run of simulated trainings and the processes that work on it."""

    def __init__(self, folder: Path, postgres: Server, redis: Server, database_url: str) -> None:
        self.folder = folder
        self.postgres = postgres
        self.redis = redis
        self.database_url = database_url
        self.checkpoints = folder / "checkpoints"
        self.store = Store(database_url, migrate=True)
        self.processes: list[subprocess.Popen[bytes]] = []
        self._settings = PACE | {
            "BLOX_DATABASE_URL": database_url,
            "BLOX_BROKER_URL": redis.url,
            "BLOX_CHECKPOINT_DIR": str(self.checkpoints),
            "BLOX_LOCK_DIR": str(folder / "locks"),
        }

    def make_run(
        self,
        jobs: int = 4,
        *,
        epochs: int = 5,
        revision: int = SIMULATION_REVISION,
        seed: int = SEED,
        data: str = "digits",
    ) -> Run:
        """Make a run of the first architectures."""
        recipe = replace(preset(data), epochs=epochs)
        return self.store.runs.create(
            dataset=recipe.dataset,
            recipe=recipe,
            seed=seed,
            trainer="simulated",
            trainer_revision=revision,
            indices=range(jobs),
        ).run

    def scheduler(
        self, run: Run, *, stays: bool = False, **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a scheduler."""
        return self.start(f"scheduler --run {run.id}{' --stay' * stays}", **settings)

    def launcher(
        self, gpus: str = "0", *, prefix: Sequence[str] = (), **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a launcher with a worker on each of these made-up GPUs."""
        inventory = {"BLOX_GPU_INVENTORY": gpus}
        return self.start(f"worker --gpus {gpus}", prefix=prefix, **(inventory | settings))

    def start(
        self, arguments: str, *, prefix: Sequence[str] = (), **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a command of `blox`; what it prints goes to a file that a failing test shows."""
        command = [*prefix, sys.executable, "-m", "blox_worker.entry", *arguments.split()]
        with self._log(len(self.processes)).open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment(**(self._settings | settings)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def app(self) -> Celery:
        """Return the application of the store on the broker."""
        return make_app(self.redis.url, self.store.id)

    def broker(self) -> Broker:
        """Return the scheduler's side of the queue."""
        return Broker(self.app())

    def job(self, run: Run, index: int) -> Job:
        """Return a job as the store has it."""
        return next(job for job in self.store.jobs.matching(run.id) if job.arch_index == index)

    def leases(self, run: Run) -> dict[int, str]:
        """Return the lease tokens of the running jobs, by arch index."""
        jobs = schema.jobs
        held = select(jobs.c.arch_index, jobs.c.lease_token).where(
            jobs.c.run_id == run.id, jobs.c.lease_token.is_not(None)
        )
        with self.store._database.read() as connection:
            return {row.arch_index: row.lease_token for row in connection.execute(held)}

    def tokens(self, run: Run) -> dict[int, str]:
        """Return the lease tokens under which results were written, by arch index."""
        with self.store.snapshot() as snapshot:
            results = snapshot.result_rows(run.id)
            return {result.arch_index: result.lease_token for result in results}

    def running(self, run: Run, *, epoch: int = 0, of: str = "") -> list[Job]:
        """Return the jobs that run, on workers of this name, and have finished so many epochs."""
        jobs = self.store.jobs.matching(run.id, JobState.RUNNING)
        return [job for job in jobs if job.epoch >= epoch and (job.worker or "").startswith(of)]

    def wait_for_epoch(self, run: Run, epoch: int = 1, *, of: str = "") -> Job:
        """Return a job that a worker of this name has got so far with."""
        found: list[Job] = []

        def got_so_far() -> bool:
            found.extend(self.running(run, epoch=epoch, of=of))
            return bool(found)

        self.wait(got_so_far, f"a job in epoch {epoch}")
        return found[0]

    def add_jobs(self, run: Run, number: int) -> range:
        """Add jobs of the next architectures to a run; return their indices."""
        first = len(self.store.jobs.matching(run.id))
        indices = range(first, first + number)
        self.store.runs.add_jobs(run.id, indices)
        return indices

    def begin(self, run: Run, number: int = 1, *, epoch: int = 1) -> list[Job]:
        """Add jobs to a run, and return them once workers have got so far with all of them."""
        indices = self.add_jobs(run, number)
        found: list[Job] = []

        def got_so_far() -> bool:
            running = self.running(run, epoch=epoch)
            found[:] = [job for job in running if job.arch_index in indices]
            return len(found) == number

        self.wait(got_so_far, f"{number} jobs in epoch {epoch}")
        return found

    def complete(self, run: Run) -> None:
        """Train the jobs of a run that have not ended, in no time and by no process of its own."""
        for job in self.store.jobs.matching(run.id, JobState.PENDING, JobState.QUEUED):
            architecture = Architecture(job.arch_index)
            result = simulated_result(architecture, run.training_recipe, run.seed)
            self.store.results.complete(claimed(self.store, run, job.arch_index), result)

    def wait(self, condition, what: str, *, shown=lambda: "") -> None:
        """Wait for a condition; if it is in vain, show `shown` and what the processes printed."""
        try:
            wait_until(condition, what, PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{shown()}\n{self.printed()}") from error

    def wait_for_workers(self, *names: str) -> None:
        """Wait until workers of these names take messages."""
        workers = [f"{name}@{socket.gethostname()}" for name in names]
        control = self.app().control

        def all_answer() -> bool:
            return len(control.ping(workers, limit=len(workers))) == len(workers)

        self.wait(all_answer, f"the workers {', '.join(names)}")

    def exit_code(self, process: subprocess.Popen[bytes]) -> int:
        """Return the exit code of a process once it has ended."""
        self.wait(lambda: process.poll() is not None, f"process {process.pid} to end")
        return process.returncode

    def wait_until_ended(self, run: Run) -> None:
        """Wait until all jobs of a run have ended."""
        self.wait(
            lambda: self.has_ended(run),
            "all jobs to end",
            shown=lambda: self.store.jobs.counts(run.id),
        )

    def has_ended(self, run: Run) -> bool:
        """Whether all jobs of a run have ended."""
        counts = self.store.jobs.counts(run.id)
        return all(state.ended or not count for state, count in counts.items())

    def finish(self, *runs: Run) -> None:
        """Let the cluster finish its runs, stop it, and check that nothing was lost on the way."""
        for run in runs:
            self.wait_until_ended(run)
        self.stop()
        for run in runs:
            self.check(run)

    def stop(self) -> None:
        """Stop all processes as an operator would, and check that each ends well."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
        self.wait_until_gone()

    def wait_until_gone(self) -> None:
        """Wait until no process of this cluster is left."""
        for process in self.processes:
            self.exit_code(process)
        self.wait(lambda: not self.alive(), "all processes to end")

    def check(self, run: Run) -> None:
        """Check that each job ended once, uncharged, as if undisturbed, and that nothing is left."""
        jobs = self.store.jobs.matching(run.id)
        assert {job.state for job in jobs} == {JobState.SUCCEEDED}, self.printed()
        assert [job.arch_index for job in jobs if job.attempts] == [], self.printed()
        with self.store.snapshot() as snapshot:
            rows = list(snapshot.result_rows(run.id))
        assert [row.arch_index for row in rows] == [job.arch_index for job in jobs]
        for row in rows:
            assert_as_undisturbed(run, row)
        assert sorted(self.checkpoints.glob("*")) == []
        assert self.alive() == []

    def losses(self, run: Run) -> dict[str, int]:
        """Count what `check` does not allow, and the jobs and attempts that were charged."""
        store = self.store
        with store.snapshot() as snapshot:
            states = snapshot.job_indices(run.id)
            rows = list(snapshot.result_rows(run.id))
        jobs = {index for indices in states.values() for index in indices}
        results = {row.arch_index for row in rows}
        return {
            "lost jobs": len(jobs - results),
            "duplicated results": len(rows) - len(results),
            "differing results": sum(not is_as_undisturbed(run, row) for row in rows),
            "jobs that did not succeed": len(jobs) - len(states[JobState.SUCCEEDED]),
            "jobs charged with an attempt": sum(
                job.attempts > 0 for job in store.jobs.matching(run.id)
            ),
            "attempts in all": sum(store.jobs.failures(run.id).values()),
            "workers given up": sum(
                worker.stopped_reason is not None for worker in store.workers.all()
            ),
            "files left behind": len(list(self.checkpoints.glob("*"))),
        }

    def alive(self) -> list[psutil.Process]:
        """Return every process of this cluster that still exists, whoever its parent is."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def workers(self, launcher: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """Return the worker processes of a launcher."""
        return psutil.Process(launcher.pid).children()

    def printed(self) -> str:
        """Return what all processes have printed."""
        logs = [self.log(number) for number in range(len(self.processes))]
        return "\n".join(f"--- process {number}\n{log}" for number, log in enumerate(logs))

    def log(self, number: int) -> str:
        """Return what the process that was started as the number-th has printed."""
        return self._log(number).read_text()

    def listen(self) -> Callable[[], str]:
        """Return what returns all that processes have printed since this call."""
        heard = [len(self.log(number)) for number in range(len(self.processes))]

        def since() -> str:
            old = [self.log(number)[begin:] for number, begin in enumerate(heard)]
            new = [self.log(number) for number in range(len(heard), len(self.processes))]
            return "\n".join(old + new)

        return since

    def close(self) -> None:
        """End what is left of the cluster."""
        for process in self.alive():
            process.kill()
        for process in self.processes:
            process.wait(PATIENCE_S)
        self.store.close()

    def _is_ours(self, process: psutil.Process) -> bool:
        names = ("BLOX_DATABASE_URL", "BLOX_CHECKPOINT_DIR")  # one may be given otherwise
        try:
            found = process.environ()
            ours = any(found.get(name) == self._settings[name] for name in names)
            return ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def _log(self, number: int) -> Path:
        return self.folder / f"process-{number}.log"


def assert_as_undisturbed(run: Run, row) -> None:
    """Check a stored result against the closed form of its simulation."""
    expected = simulated_result(Architecture(row.arch_index), run.training_recipe, run.seed)
    for name in CURVES:
        np.testing.assert_array_equal(
            getattr(row, name), np.round(getattr(expected.curves, name), 6), name
        )
    assert (row.status, row.best_epoch) == (expected.status, expected.best_epoch)
    assert (row.test_top1, row.test_top5) == (expected.test.top1, expected.test.top5)
    assert row.test_loss == round(expected.test.loss, 6)
    assert row.train_time_s == expected.train_time_s


def is_as_undisturbed(run: Run, row) -> bool:
    """Whether a stored result is that of its simulation's closed form."""
    try:
        assert_as_undisturbed(run, row)
    except AssertionError:
        return False
    return True


@contextmanager
def cluster(folder: Path, postgres: Server, redis: Server, database_url: str) -> Iterator[Cluster]:
    """Give a cluster without processes, and leave none."""
    made = Cluster(folder, postgres, redis, database_url)
    try:
        yield made
    finally:
        postgres.thaw()
        redis.thaw()
        postgres.start()
        redis.start()
        made.close()
