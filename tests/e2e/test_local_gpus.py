"""`blox train --local --gpus`: a process per GPU on one store, without a queue; GPUs are pretended."""

import re
import signal
import socket
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
from sqlalchemy.engine import make_url

from blox_core.recipe import preset
from blox_core.simulation import SIMULATED, simulated_result
from blox_core.space import Architecture
from blox_store.store import JobState, Store
from tests.support.results import made_up_run
from tests.support.servers import wait_until

HOST = socket.gethostname()
WORKERS = {f"gpu0@{HOST}", f"gpu1@{HOST}"}
STOPPED = re.compile(r"^a\d+ stopped$", re.MULTILINE)
PRETENDED = {"BLOX_GPU_INVENTORY": "0,1"}
ENDLESS = {"BLOX_SIMULATED_EPOCH_S": "3600"}
# Three seconds until a job of a killed process is taken over.
SHORT_LEASES = {"BLOX_LEASE_S": "3", "BLOX_HEARTBEAT_S": "0.2", "BLOX_CHECKPOINT_EVERY_S": "0"}


class Rehearsal:
    """A simulated run in a store, and the command that trains it."""

    def __init__(self, commands, url):
        self.commands = commands
        self.url = url
        self.store = Store(url)
        self.run = made_up_run(self.store, indices=range(6), trainer=SIMULATED)
        self.process = None

    def start(self, options="--gpus all", **settings):
        """Start the command; the store is named by the environment."""
        own = {"BLOX_DATABASE_URL": self.url, **PRETENDED, **settings}
        self.process = self.commands.start(f"blox train --local {options}", **own)

    def ended(self):
        """Wait for the end; return the exit code and what was printed and logged."""
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err

    def processes(self):
        """Return all living processes that use this store, but for this one."""
        return [
            process
            for process in psutil.process_iter(["environ", "status"])
            if (process.info["environ"] or {}).get("BLOX_DATABASE_URL") == self.url
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]

    def children(self):
        """Return the worker processes by the names of the workers."""
        children = psutil.Process(self.process.pid).children()
        lines = [(child, child.cmdline()) for child in children]
        return {line[line.index("--slot") + 1]: child for child, line in lines if "--slot" in line}

    def states(self):
        """Return the number of jobs in each state that some are in."""
        return {state: n for state, n in self.store.jobs.counts(self.run.id).items() if n}

    def wait_for_running(self, jobs):
        """Wait until so many jobs run."""
        wait_until(lambda: self.states().get(JobState.RUNNING) == jobs, f"{jobs} jobs to run", 120)

    def jobs(self, *states):
        """Return the jobs in these states."""
        return self.store.jobs.matching(self.run.id, *states)

    def assert_results_are_those_of_an_undisturbed_run(self):
        """Compare every stored result with the closed form."""
        recipe = preset("digits")
        with self.store.snapshot() as snapshot:
            rows = list(snapshot.result_rows(self.run.id))
        assert [row.arch_index for row in rows] == [job.arch_index for job in self.jobs()]
        for row in rows:
            expected = simulated_result(Architecture(row.arch_index), recipe, self.run.seed)
            np.testing.assert_array_equal(row.val_top1, expected.curves.val_top1)
            assert row.test_top1 == expected.test.top1


@contextmanager
def rehearsing(commands, url):
    """Give a rehearsal on a store; check that no process of it is left, and leave none anyway."""
    made = Rehearsal(commands, url)
    try:
        yield made
    finally:
        left = made.processes()
        for process in left:
            process.kill()
        if made.process is not None:
            made.process.communicate()
        made.store.close()
    assert left == []


def test_both_gpus_end_jobs(commands, sqlite_store_url):
    with rehearsing(commands, sqlite_store_url) as rehearsal:
        rehearsal.start(BLOX_SIMULATED_EPOCH_S="0.1")
        code, out, err = rehearsal.ended()
        assert (code, err) == (0, "")
        assert f"workers gpu0@{HOST}, gpu1@{HOST}\n" in out
        assert out.count(" val ") == 6
        assert out.endswith(": 6 succeeded\n")
        assert {job.worker for job in rehearsal.jobs()} == WORKERS
        assert rehearsal.store.workers.all() == []
        rehearsal.assert_results_are_those_of_an_undisturbed_run()


@pytest.mark.slow
def test_workers_end_as_they_should(commands, postgres_store_url):
    url = make_url(postgres_store_url).set(password="geheim")
    with rehearsing(commands, url.render_as_string(hide_password=False)) as rehearsal:
        a_paused_run_ends_them_at_once(rehearsal)
        a_killed_launcher_takes_those_that_share_a_gpu_along(rehearsal)
        they_are_seen_and_give_their_jobs_back(rehearsal)
        a_killed_one_is_started_again_and_its_job_taken_over(rehearsal)
        sigquit_does_not_wait_for_them(rehearsal)


def a_paused_run_ends_them_at_once(rehearsal):
    rehearsal.store.runs.set_paused(rehearsal.run.id, True)
    rehearsal.start()
    code, out, err = rehearsal.ended()
    assert code == 1
    assert err.count("does no more; 'blox status' says why") == 2
    assert err.count("blox resume --run 1") == 2
    assert out.endswith(": 6 pending\n")
    reasons = {one.name: one.stopped_reason for one in rehearsal.store.workers.all()}
    assert set(reasons) == WORKERS
    assert all("blox resume --run 1" in reason for reason in reasons.values())
    rehearsal.store.runs.set_paused(rehearsal.run.id, False)


def a_killed_launcher_takes_those_that_share_a_gpu_along(rehearsal):
    rehearsal.start("--gpus 1 --jobs-per-gpu 2", **ENDLESS)
    rehearsal.wait_for_running(2)
    assert set(rehearsal.children()) == {f"gpu1-0@{HOST}", f"gpu1-1@{HOST}"}
    rehearsal.process.kill()
    wait_until(lambda: not rehearsal.processes(), "the workers to stop")
    assert rehearsal.states() == {JobState.PENDING: 6}
    assert {job.attempts for job in rehearsal.jobs()} == {0}


def they_are_seen_and_give_their_jobs_back(rehearsal):
    """Stop all: a service manager asks everybody, and the launcher its children once more."""
    rehearsal.start(f"--gpus all --data-dir none --database {rehearsal.url}", **ENDLESS)
    rehearsal.wait_for_running(2)
    check_that_no_password_is_on_a_command_line(rehearsal)
    wait_until(lambda: set(seen(rehearsal)) == WORKERS, "both workers to be there")
    for name, worker in seen(rehearsal).items():
        child = rehearsal.children()[name]
        assert (worker.device, worker.pid) == ("cpu", child.pid)
        assert child.environ()["CUDA_VISIBLE_DEVICES"] == name[3]
    for process in rehearsal.processes():
        process.terminate()
    code, out, err = rehearsal.ended()
    assert code == 0, err
    assert "stopping as asked; waiting for" in err
    assert len(STOPPED.findall(out)) == 2
    assert out.endswith("stopped; run the same command again to go on where it stopped\n")
    assert rehearsal.states() == {JobState.PENDING: 6}
    assert {job.attempts for job in rehearsal.jobs()} == {0}


def seen(rehearsal):
    """Return the workers that the store shows as there, by name."""
    workers = rehearsal.store.workers.all()
    return {worker.name: worker for worker in workers if worker.stopped_reason is None}


def check_that_no_password_is_on_a_command_line(rehearsal):
    """Check it of the workers: only that of the launcher has the one that was typed."""
    lines = [" ".join(child.cmdline()) for child in rehearsal.children().values()]
    assert len(lines) == 2
    assert all("--data-dir none" in line for line in lines)
    assert "geheim" in " ".join(psutil.Process(rehearsal.process.pid).cmdline())
    assert not any("geheim" in line for line in lines)


def a_killed_one_is_started_again_and_its_job_taken_over(rehearsal):
    rehearsal.start(BLOX_SIMULATED_EPOCH_S="0.2", **SHORT_LEASES)
    rehearsal.wait_for_running(2)
    name, child = min(rehearsal.children().items())
    child.kill()
    code, out, err = rehearsal.ended()
    assert code == 0, err
    assert f"{name} ended: signal SIGKILL; starting it again in 1 s" in err
    assert out.endswith(": 6 succeeded\n")
    rehearsal.assert_results_are_those_of_an_undisturbed_run()


def sigquit_does_not_wait_for_them(rehearsal):
    rehearsal.store.runs.add_jobs(rehearsal.run.id, range(6, 12))
    rehearsal.start(**ENDLESS)
    rehearsal.wait_for_running(2)
    rehearsal.process.send_signal(signal.SIGQUIT)
    code, out, err = rehearsal.ended()
    assert code == 128 + signal.SIGQUIT
    assert err.count("was asked to stop and ended by exit code 131\n") == 2
    assert STOPPED.search(out) is None
    states = {JobState.SUCCEEDED: 6, JobState.RUNNING: 2, JobState.PENDING: 4}
    assert rehearsal.states() == states
